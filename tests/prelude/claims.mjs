// What the prelude promises: prints a JSON object, sentence → what went wrong or null.
// Arguments: a file with the prelude as it stands in a page, or /dev/null for the control.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { Browser } from './browser.mjs';

const prelude = fs.readFileSync(process.argv[2], 'utf8');

const load = (given, before = '') => {
  const browser = new Browser(given);
  browser.run(before);
  browser.load(prelude);
  return browser;
};

const claims = {
  'the browser says that the visitor has opted out, as the header does': () => {
    assert.equal(load().run('navigator.globalPrivacyControl'), true);
  },
  'a browser that says otherwise says it too': () => {
    const own = `Object.defineProperty(Navigator.prototype, 'globalPrivacyControl',
      { get: () => false, configurable: true, enumerable: true });`;
    assert.equal(load({}, own).run('navigator.globalPrivacyControl'), true);
  },
  'a tool finds its opt-out flag, and no page takes it back': () => {
    const browser = load();
    assert.equal(browser.run('_gaUserPrefs.ioo()'), true);
    assert.equal(browser.run('"use strict"; CE_NO_COOKIES = false; CE_NO_COOKIES'), true);
    assert.equal(browser.run('var CE_NO_COOKIES = false; CE_NO_COOKIES'), true);
  },
  'its own element is gone': () => {
    assert.equal(load().elements.length, 0);
  },
  'a charset said early for its sake is gone with it': () => {
    let gone = false;
    const meta = { hasAttribute: (name) => name === 'data-optout', remove: () => (gone = true) };
    new Browser().load(prelude, meta);
    assert.ok(gone);
  },
  'named cookies are not set': () => {
    const browser = load();
    browser.run(`document.cookie = '_ga=1; path=/'; document.cookie = ' _ga_AB = 1';
      document.cookie = 'cebs=1'; document.cookie = '_ga=2;max-age=99'`);
    assert.deepEqual(browser.cookies, []);
  },
  'named cookies are not set through the cookie store': async () => {
    const browser = load();
    await browser.run(`cookieStore.set('_ga', '1')`);
    await browser.run(`cookieStore.set({ name: '_ga_AB', value: '1' })`);
    assert.deepEqual(browser.cookies, []);
  },
  'named cookies from before are gone, wherever they were set': () => {
    const browser = load({
      href: 'https://a.b.mass.gov/orgs/x/y',
      cookies: [
        ['_ga'], ['_ga', { domain: 'mass.gov' }], ['_ga', { domain: 'b.mass.gov' }],
        ['_ga', { domain: 'a.b.mass.gov' }], ['_ga', { path: '/orgs' }],
        ['_ga_AB', { path: '/orgs/', domain: 'mass.gov' }], ['cebs', { path: '/orgs/x/y' }],
      ],
    });
    assert.deepEqual(browser.cookies, []);
  },
  'named keys are not stored': () => {
    const browser = load();
    browser.run(`localStorage.setItem('massgovDeviceId', '1');
      sessionStorage.setItem('lastExternalReferrer', '1')`);
    assert.deepEqual(browser.run('[localStorage.length, sessionStorage.length].join()'), '0,0');
  },
  'a key that is spelled out is not stored as a property either': () => {
    const browser = load();
    browser.run(`localStorage.massgovDeviceId = '1'; localStorage['massgovDeviceId'] = '2'`);
    assert.equal(browser.run('localStorage.length'), 0);
    assert.equal(browser.run('localStorage.massgovDeviceId'), undefined);
  },
  'named keys from before are gone': () => {
    const stored = { massgovDeviceId: '1', lastExternalReferrer: '2', lastExternalTime: '3', kept: '4' };
    const browser = load({ local: stored, session: stored });
    assert.equal(browser.run('Object.keys(localStorage).join()'), 'kept');
    assert.equal(browser.run('Object.keys(sessionStorage).join()'), 'kept');
  },
  'what was stored past the guard is gone with the page': () => {
    const browser = load();
    browser.run(`localStorage.lastExternalReferrer = '1'; localStorage.kept = '1'`);
    browser.listeners.pagehide?.();
    assert.equal(browser.run('Object.keys(localStorage).join()'), 'kept');
  },
};

// These hold without the prelude too: it must not break them.
const kept = {
  'cookies of other names are set, read and deleted': () => {
    const browser = load({ cookies: [['session'], ['_gaa']] });
    browser.run(`document.cookie = 'x_ga=1'; document.cookie = '_GA=1'; document.cookie = 'a=_ga=1'`);
    assert.deepEqual(browser.cookies, ['session', '_gaa', 'x_ga', '_GA', 'a']);
    browser.run(`document.cookie = 'session=; max-age=0; path=/'`);
    assert.equal(browser.run('document.cookie'), '_gaa=1; x_ga=1; _GA=1; a=1');
  },
  'a page may delete what is named': () => {
    const browser = load();
    browser.jar.push({ name: '_ga', path: '/', domain: '' });
    browser.run(`document.cookie = '_ga=; max-age=0'`);
    assert.deepEqual(browser.cookies, []);
    browser.run(`document.cookie = '_ga=; expires=Thu, 01 Jan 1970 00:00:00 GMT; max-age=0'`);
    assert.deepEqual(browser.cookies, []);
  },
  'other cookies pass through the cookie store': async () => {
    const browser = load();
    await browser.run(`cookieStore.set('other', '1')`);
    assert.deepEqual(browser.cookies, ['other']);
  },
  'other keys are stored in every way': () => {
    const browser = load();
    browser.run(`localStorage.setItem('a', 1); localStorage.b = 2; sessionStorage['c'] = 3`);
    assert.equal(browser.run('localStorage.getItem("a") + localStorage.b + sessionStorage.c'), '123');
    assert.equal(browser.run('Object.keys(localStorage).join()'), 'a,b');
    assert.equal(browser.run('localStorage.hasOwnProperty("massgovDeviceId")'), false);
  },
  'the browser still complains about a wrong receiver or too few arguments': () => {
    const browser = load();
    for (const wrong of [
      `Storage.prototype.setItem.call({}, 'a', 'b')`,
      `localStorage.setItem('massgovDeviceId')`,
      `Object.getOwnPropertyDescriptor(Document.prototype, 'cookie').set.call({}, 'a=b')`,
      `new Storage.prototype.setItem()`,
    ]) assert.throws(() => browser.run(wrong), { name: 'TypeError' }, wrong);
  },
  'functions keep their names and lengths': () => {
    const browser = load();
    assert.equal(browser.run('Storage.prototype.setItem.name + Storage.prototype.setItem.length'), 'setItem2');
    assert.equal(browser.run('CookieStore.prototype.set.name'), 'set');
    assert.equal(
      browser.run(`Object.getOwnPropertyDescriptor(Document.prototype, 'cookie').set.name`), 'set cookie');
  },
  'properties keep their places': () => {
    const browser = load();
    const shape = (owner, name) => browser.run(
      `JSON.stringify(Object.getOwnPropertyDescriptor(${owner}.prototype, '${name}'))`);
    const plain = (owner, name) => new Browser().run(
      `JSON.stringify(Object.getOwnPropertyDescriptor(${owner}.prototype, '${name}'))`);
    for (const [owner, name] of [['Document', 'cookie'], ['Storage', 'setItem'], ['CookieStore', 'set']]) {
      assert.equal(shape(owner, name), plain(owner, name));
    }
  },
  'no global is added but the flags': () => {
    const names = (browser) => browser.run('Object.getOwnPropertyNames(globalThis).join()').split(',');
    const before = new Set(names(new Browser()));
    const added = names(load()).filter((name) => !before.has(name));
    assert.deepEqual(added.filter((name) => !['_gaUserPrefs', 'CE_NO_COOKIES'].includes(name)), []);
  },
  'the data layer is the page’s own': () => {
    assert.equal(load().run('typeof dataLayer'), 'undefined');
  },
  'nothing is thrown where parts are missing': () => {
    for (const missing of [
      'delete globalThis.CookieStore', 'delete globalThis.Navigator',
      'delete globalThis.Document', 'delete globalThis.Storage',
      'delete globalThis.localStorage', 'delete globalThis.location',
      'delete globalThis.navigator', 'delete globalThis.addEventListener',
      `Object.defineProperty(globalThis, 'localStorage', { get() { throw new Error('denied') } })`,
      `Object.defineProperty(Document.prototype, 'cookie', { get() { throw new Error('denied') } })`,
      'Object.freeze(Storage.prototype)', 'Object.freeze(Document.prototype)',
      'Object.freeze(Navigator.prototype)',
      `Object.defineProperty(globalThis, '_gaUserPrefs', { value: 1 })`,
    ]) load({}, missing);
  },
  'loaded twice, it does no more than once': () => {
    const browser = load();
    browser.load(prelude);
    browser.run(`document.cookie = 'a=1'; localStorage.setItem('b', 1)`);
    assert.deepEqual(browser.cookies, ['a']);
    assert.equal(browser.elements.length <= 2, true);
  },
};

const outcome = async (group) => {
  const results = {};
  for (const [sentence, body] of Object.entries(group)) {
    try {
      await body();
      results[sentence] = null;
    } catch (error) {
      results[sentence] = String(error.message);
    }
  }
  return results;
};
console.log(JSON.stringify({ claims: await outcome(claims), kept: await outcome(kept) }));
