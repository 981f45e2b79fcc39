// What the consent prefix promises: prints a JSON object, sentence → what went wrong or null.
// Arguments: the prefix's file, or /dev/null for the control.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { Page } from './page.mjs';

const prefix = fs.readFileSync(process.argv[2], 'utf8');
const loader = 'https://www.googletagmanager.com/gtm.js?id=GTM-TEST';
// The site's own first push, and the vendor's documented snippet.
const site = `var dataLayer = [{ org: 'a' }];
  function gtag() { dataLayer.push(arguments); }
  dataLayer.push({ 'gtm.start': 1, event: 'gtm.js' });`;
// What matters of Tag Manager: it goes through the queue, then puts a push of its own in place.
const container = `(() => {
  window.seen = [];
  const theirs = dataLayer.push;
  for (let n = 0; n < dataLayer.length; n += 1) seen.push(dataLayer[n]);
  dataLayer.push = function (...items) {
    const result = theirs.apply(dataLayer, items);
    seen.push(...items);
    return result;
  };
})();`;

const load = (before = site, after = '', src = loader) => {
  const page = new Page(() => prefix + container);
  page.run(before);
  page.load('gtm.js', src);
  page.run(after);
  assert.deepEqual(page.errors, []);
  return page;
};
const consents = (page) =>
  Array.from(page.window.seen).filter((item) => item[0] === 'consent').map((item) => [item[1], { ...item[2] }]);
const denied = {
  ad_storage: 'denied', ad_user_data: 'denied', ad_personalization: 'denied', analytics_storage: 'denied',
};

const claims = {
  'the defaults are denied before the tags start': () => {
    const seen = Array.from(load().window.seen);
    const said = seen.findIndex((item) => item[0] === 'consent');
    assert.deepEqual({ ...seen[said][2] }, denied);
    assert.ok(said < seen.findIndex((item) => item.event === 'gtm.js'));
  },
  'a grant that follows is denied': () => {
    const page = load(site, `gtag('consent', 'update', { ad_storage: 'granted', analytics_storage: 'granted' });`);
    assert.deepEqual(consents(page).at(-1), ['update', { ad_storage: 'denied', analytics_storage: 'denied' }]);
  },
  'a grant that waited is denied': () => {
    const page = load(`${site} gtag('consent', 'default', { ad_storage: 'granted' });`);
    for (const [, choice] of consents(page)) assert.equal(choice.ad_storage, 'denied');
    assert.equal(consents(page).length, 2);
  },
  'a grant after the page took its own push is denied': () => {
    const page = load(site, `const push = dataLayer.push; (function () { push.call(dataLayer, arguments); })('consent', 'update', { ad_storage: 'granted' });`);
    assert.equal(consents(page).at(-1)[1].ad_storage, 'denied');
  },
  'a layer of another name is served': () => {
    const page = load(
      `var own = [{ event: 'gtm.js' }]; var dataLayer = own;`, '', `${loader}&l=own`);
    assert.deepEqual(consents(page)[0], ['default', denied]);
  },
};
// These hold without the prefix too: it must not break them.
const kept = {
  'the first item is still the page’s own': () => {
    assert.equal(load().window.dataLayer[0].org, 'a');
  },
  'what is pushed is stored and seen once, and its length comes back': () => {
    const page = load(site, `window.length_ = dataLayer.push({ event: 'x' }, { event: 'y' });`);
    const events = Array.from(page.window.seen).map((item) => item.event);
    assert.equal(events.filter((event) => event === 'x').length, 1);
    assert.equal(page.window.length_, page.window.dataLayer.length);
  },
  'purposes that track nobody keep their choice': () => {
    const page = load(site, `gtag('consent', 'update', { security_storage: 'granted' });`);
    assert.equal(consents(page).at(-1)[1].security_storage, 'granted');
  },
  'a page without a data layer goes on': () => {
    const page = new Page(() => prefix);
    page.load('gtm.js', loader);
    assert.deepEqual(page.errors, []);
  },
  'two containers on a page are told once': () => {
    const page = load();
    page.load('gtm.js', loader);
    assert.ok(Array.from(page.window.dataLayer).filter((item) => item[0] === 'consent').length <= 1);
  },
};

const outcome = (group) => Object.fromEntries(Object.entries(group).map(([sentence, body]) => {
  try {
    body();
    return [sentence, null];
  } catch (error) {
    return [sentence, String(error.message)];
  }
}));
console.log(JSON.stringify({ claims: outcome(claims), kept: outcome(kept) }));
