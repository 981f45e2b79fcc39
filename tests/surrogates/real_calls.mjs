// node real_calls.mjs FOLDER (as-is | empty) USAGE TAGS: makes every call that real pages were seen
// to make (USAGE), once before the surrogate loads, by the vendor's snippet, and once after, bare;
// and loads every surrogate from every real address (TAGS). Prints {case: error or null}.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { once } from './count.mjs';
import { Page, spy } from './page.mjs';
import { snippets } from './snippets.mjs';

const [folder, mode, usageFile, tagsFile] = process.argv.slice(2);
const source = (name) => (mode === 'empty' ? '' : readFileSync(join(folder, name), 'utf8'));
const read = (file) => JSON.parse(readFileSync(file, 'utf8'));
const outcome = {};

// What a group of calls is made to: the surrogates, and the snippet that queues before.
const GROUPS = {
  ga: { surrogates: ['analytics.js', 'gtm.js'], snippet: snippets.analytics },
  gtag: { surrogates: ['gtag.js'], snippet: snippets.gtag },
  fbq: { surrogates: ['fbevents.js'], snippet: snippets.fbq },
  _gaq: { surrogates: ['ga.js'], snippet: snippets.ga },
  FB: { surrogates: ['fb-sdk.js'] },
  twttr: { surrogates: ['twitter-widgets.js'] },
  google_tag_manager: { surrogates: ['gtm.js'] },
  hitCallback: { surrogates: [] }, // names only: NAMED below
  'dataLayer.hide': { surrogates: [] }, // fragments of the snippet: NAMED below
  google_conversion: { surrogates: [] }, // a function of the site's own: see claims.mjs
  twq: { foreign: 'the X Ads pixel, another tool' },
  CE: { foreign: 'variables of the sites themselves' },
};
const VENDORS = /^(ga|gtag|fbq|_fbq|_gaq|FB|twttr|google_tag_manager|dataLayer)$/;

// The calls were cut where the excerpt ended: close what is open.
const closed = (call) => {
  const open = [];
  let quote = '';
  for (const char of call) {
    if (quote) quote = char === quote ? '' : quote;
    else if (char === '"' || char === "'") quote = char;
    else if ('([{'.includes(char)) open.unshift({ '(': ')', '[': ']', '{': '}' }[char]);
    else if (')]}'.includes(char)) open.shift();
  }
  return call + open.join('');
};

// A value for the variables of the page around the call: any member, any call, some text.
const anything = new Proxy(function () {}, {
  get: (_, key) => (key === Symbol.toPrimitive ? () => 'x' : anything),
  apply: () => anything,
});
const scopeOf = (page, callback) =>
  new Proxy(
    {},
    {
      has: (_, key) =>
        typeof key === 'string' && !(key in page.global) && !VENDORS.test(key) && key !== 'scope',
      get: (_, key) =>
        key === 'callback' ? callback : key === Symbol.unscopables ? undefined : anything,
    }
  );

const make = async (call, surrogate, { queue = '', after = false } = {}) => {
  const page = new Page(source);
  const callback = spy();
  const id = /GTM-\w+/.exec(call)?.[0] ?? 'GTM-ABCDE';
  const load = () => page.load(surrogate, `https://www.googletagmanager.com/gtm.js?id=${id}`);
  page.run(queue);
  if (after) load();
  page.window.scope = scopeOf(page, callback);
  const made =
    /^[\w.]+$/.test(call) && !VENDORS.test(call)
      ? `typeof ${call} === 'function' && ${call}()`
      : call;
  page.run(`with (scope) { ${closed(made)} }`);
  delete page.window.scope;
  if (!after) load();
  await page.settle();
  if (page.errors.length) throw page.errors[0];
  assert.deepEqual([page.sent, page.printed], [[], []], 'nothing is sent or printed');
  if (/\bcallback\b/.test(call)) once(callback);
};
const attempt = async (name, body) => {
  outcome[name] = await body().then(
    () => null,
    (error) => String(error.message ?? error)
  );
};

for (const [group, calls] of Object.entries(read(usageFile))) {
  const { surrogates, snippet, foreign } = GROUPS[group] ?? { surrogates: ['(a new group)'] };
  if (foreign) continue;
  for (const { call } of calls) {
    for (const surrogate of surrogates) {
      await attempt(`${surrogate}: ${call}, after`, () => make(call, surrogate, { after: true }));
      if (snippet && mode !== 'empty') {
        await attempt(`${surrogate}: ${call}, queued`, () =>
          make(call, surrogate, { queue: snippet })
        );
      }
    }
  }
}

// The groups that hold names, not calls.
const NAMED = {
  eventCallback: ['gtm.js', "dataLayer.push({event: 'click', eventCallback: callback})"],
  hitCallback: ['analytics.js', "ga('send', 'event', 'a', 'b', {hitCallback: callback})"],
  event_callback: ['gtag.js', "gtag('event', 'click', {event_callback: callback})"],
  'async-hide': ['optimize.js', 'callback()', `function shown() {} ${snippets.hide}`],
  '.hide=h': ['gtm.js', 'callback()', `function shown() {} ${snippets.hide}`],
};
for (const group of ['hitCallback', 'dataLayer.hide']) {
  for (const { call } of read(usageFile)[group]) {
    const [surrogate, code, queue] = NAMED[call];
    await attempt(`${surrogate}: ${call}`, async () => {
      await make(code, surrogate, { queue, after: true });
      if (queue) assert.notEqual(source(surrogate), '', 'nobody shows the page');
    });
  }
}

// Real addresses of the scripts that surrogates stand in for.
const SCRIPTS = [
  [/\/gtm\.js\?/, 'gtm.js', 'google_tag_manager'],
  [/\/gtag\/js\?/, 'gtag.js', 'google_tag_manager'],
  [/google-analytics\.com\/analytics\.js/, 'analytics.js', 'ga'],
  [/google-analytics\.com\/ga\.js/, 'ga.js', '_gaq'],
  [/\/fbevents\.js/, 'fbevents.js', 'fbq'],
  [/connect\.facebook\.net\/.*\/(sdk|all)\.js/, 'fb-sdk.js', 'FB'],
  [/platform\.twitter\.com\/widgets\.js/, 'twitter-widgets.js', 'twttr'],
  [/script\.crazyegg\.com/, 'crazyegg.js', 'CE2'],
  [/gateway\.(foresee|answerscloud)\.com/, 'foresee.js', 'fsReady'],
  [/\/conversion(_async)?\.js/, 'conversion.js', 'google_trackConversion'],
  [/\/cse\.js/, 'cse.js', 'google'],
  [/optimize\.js\?/, 'optimize.js', 'google_optimize'],
];
for (const src of Object.keys(read(tagsFile))) {
  for (const [address, surrogate, global] of SCRIPTS) {
    if (!address.test(src)) continue;
    await attempt(`${surrogate} from ${src}`, async () => {
      const page = new Page(source);
      page.load(surrogate, src);
      await page.settle();
      if (page.errors.length) throw page.errors[0];
      assert.ok(page.window[global], `${global} is there`);
      const id = /[?&]id=([\w-]+)/.exec(src)?.[1];
      if (id && global === 'google_tag_manager') assert.ok(page.window[global][id], id);
    });
  }
}
process.stdout.write(JSON.stringify(outcome));
