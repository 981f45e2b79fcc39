// The data layer: gtag.js, gtm.js, optimize.js.
import { claim } from './claims.mjs';
import { never, once } from './count.mjs';
import { spy } from './page.mjs';
import { snippets } from './snippets.mjs';

const GTM = 'https://www.googletagmanager.com/gtm.js?id=GTM-ABCDE';
const GTAG = 'https://www.googletagmanager.com/gtag/js?id=G-ABCDE12345';
const OPTIMIZE = 'https://www.googleoptimize.com/optimize.js?id=OPT-ABCDE';
const LAYERS = { 'gtag.js': GTAG, 'gtm.js': GTM, 'optimize.js': OPTIMIZE };

for (const [name, src] of Object.entries(LAYERS)) {
  claim(name, 'answers what was queued before it came, each callback once', async (page) => {
    page.window.callback = spy();
    page.window.other = spy();
    page.run(`${snippets.gtag}
      gtag('event', 'click', {event_callback: callback, event_timeout: 2000});
      dataLayer.push({event: 'click', eventCallback: other, eventTimeout: 2000});`);
    page.load(name, src);
    never(page.window.callback, 'before the page rests');
    await page.settle();
    once(page.window.callback);
    once(page.window.other);
  });

  claim(name, 'answers what is pushed after it came, each callback once', async (page) => {
    page.window.callback = spy();
    page.window.other = spy();
    page.load(name, src);
    page.run(`${snippets.gtag}
      gtag('event', 'click', {event_callback: callback});
      dataLayer.push({event: 'a'}, {event: 'click', eventCallback: other, eventTimeout: 2000});`);
    await page.settle();
    once(page.window.callback);
    once(page.window.other);
  });

  claim(name, 'keeps the layer a real array with every item in its place', (page, assert) => {
    page.run("var dataLayer = [{page: 'first'}]; var same = dataLayer;");
    page.load(name, src);
    assert.equal(page.run("dataLayer.push({page: 'second'}, {page: 'third'})"), 3);
    assert.equal(page.run('dataLayer === same && Array.isArray(dataLayer)'), true);
    assert.equal(page.run("dataLayer.map((item) => item.page).join(' ')"), 'first second third');
    assert.ok(page.run('window.google_tag_manager'), 'and the library shows itself as loaded');
  });

  claim(name, 'makes the layer where the page has none', (page, assert) => {
    page.load(name, src);
    assert.equal(page.run('Array.isArray(window.dataLayer)'), true);
  });

  claim(name, 'serves the layer that its address names', async (page, assert) => {
    page.window.callback = spy();
    page.run('var siteLayer = [{event: "click", eventCallback: callback}];');
    page.load(name, `${src}&l=siteLayer`);
    await page.settle();
    once(page.window.callback);
    assert.equal(page.run('typeof window.dataLayer'), 'undefined');
  });

  claim(name, 'passes a push through what the page had put in front of it', (page, assert) => {
    page.window.seen = spy();
    page.run(`var dataLayer = [];
      dataLayer.push = function (item) {
        seen(item); return Array.prototype.push.call(dataLayer, item);
      };`);
    page.load(name, src);
    page.run("dataLayer.push({event: 'click'})");
    once(page.window.seen);
    assert.equal(page.run('dataLayer.length'), 1);
    assert.ok(page.run('window.google_tag_manager'));
  });

  claim(
    name,
    'goes on when a callback throws, and lets the error surface',
    async (page, assert) => {
      page.window.callback = spy();
      page.run(`${snippets.gtag}
      gtag('event', 'a', {event_callback: function () { throw new Error('page a'); }});
      dataLayer.push(function () { throw new Error('page b'); });
      gtag('event', 'c', {event_callback: callback});`);
      page.load(name, src);
      await page.settle();
      once(page.window.callback);
      assert.deepEqual(
        page.errors
          .splice(0)
          .map((error) => error.message)
          .sort(),
        ['page a', 'page b']
      );
    }
  );

  claim(name, 'survives what is no item', async (page, assert) => {
    page.run(
      "var dataLayer = [null, undefined, 0, '', 'text', [], ['push', 1], {length: 1}, NaN];"
    );
    page.load(name, src);
    page.run("dataLayer.push(null, undefined, 'text', [undefined], Object.create(null))");
    await page.settle();
    assert.equal(page.run('dataLayer.length'), 14);
    assert.ok(page.run('window.google_tag_manager'));
  });

  claim(name, 'calls back a `gtag("get")`, later, with undefined', async (page, assert) => {
    page.window.callback = spy();
    page.run(snippets.gtag);
    page.run("gtag('get', 'G-ABCDE12345', 'client_id', callback)");
    page.load(name, src);
    page.run("gtag('get', 'G-ABCDE12345', 'session_id', callback)");
    never(page.window.callback, 'at once');
    await page.settle();
    assert.deepEqual(page.window.callback.calls, [[undefined], [undefined]]);
  });

  claim(name, 'takes consent, set, js and config in silence', async (page, assert) => {
    page.run(snippets.gtag);
    page.load(name, src);
    page.run(`gtag('js', new Date());
      gtag('consent', 'default', {ad_storage: 'denied', wait_for_update: 500});
      gtag('consent', 'update', {ad_storage: 'granted'});
      gtag('set', 'user_properties', {a: 1}); gtag('set', {currency: 'USD'}); gtag('set');
      gtag('config', 'G-ABCDE12345'); gtag('config', 'G-ABCDE12345', {send_page_view: false});
      gtag('hasOwnProperty', 'x'); gtag(); gtag('event');`);
    await page.settle();
    assert.equal(page.run('dataLayer.length'), 11);
    assert.ok(page.run('window.google_tag_manager'));
  });

  claim(
    name,
    'calls back for a config that counts the page view, and for a callback set for all',
    async (page) => {
      Object.assign(page.window, { config: spy(), silent: spy(), all: spy(), own: spy() });
      page.run(`${snippets.gtag}
      gtag('config', 'G-ABCDE12345', {event_callback: config});
      gtag('config', 'G-ABCDE12345', {event_callback: silent, send_page_view: false});
      gtag('set', {event_callback: all});`);
      page.load(name, src);
      page.run("gtag('event', 'a'); gtag('event', 'b', {event_callback: own});");
      await page.settle();
      once(page.window.config);
      never(page.window.silent);
      once(page.window.all);
      once(page.window.own);
    }
  );

  claim(
    name,
    'shows a page that the anti-flicker snippet hides, for all its containers',
    (page, assert) => {
      page.window.shown = spy();
      page.run(snippets.hide);
      page.load(name, src);
      once(page.window.shown);
      assert.equal(page.window.document.documentElement.className.trim(), '');
      assert.equal(page.run("dataLayer.hide['GTM-ABCDE'] || dataLayer.hide['GTM-FGHIJ']"), false);
    }
  );

  claim(name, 'shows the page even where its own `end` throws', async (page, assert) => {
    page.run(
      "var dataLayer = []; dataLayer.hide = {end: function () { throw new Error('end'); }};"
    );
    page.load(name, src);
    await page.settle();
    assert.deepEqual(
      page.errors.splice(0).map((error) => error.message),
      ['end']
    );
    assert.ok(page.run('window.google_tag_manager'));
  });

  claim(name, 'lets a pushed function read the layer', (page, assert) => {
    page.window.got = spy();
    page.run("var dataLayer = [{user: 'a'}, {user: 'b'}];");
    page.load(name, src);
    page.run(
      "dataLayer.push(function () { got(this.get('user')); this.set('x', 1); this.reset(); })"
    );
    assert.deepEqual(page.window.got.calls, [['b']]);
  });

  claim(name, 'has its container in google_tag_manager, beside the others', (page, assert) => {
    page.load(name, src);
    page.load(name, `${src}2`);
    page.run("dataLayer.push({user: 'a'})");
    const id = /id=(.*)/.exec(src)[1];
    for (const each of [id, `${id}2`]) {
      assert.equal(page.run(`google_tag_manager['${each}'].dataLayer.get('user')`), 'a');
      assert.equal(page.run(`google_tag_manager['${each}'].macro(1)`), undefined);
    }
    assert.equal(page.run("typeof google_tag_manager['rm']"), 'object');
    // It would tell a real container beside it that the page is complete.
    assert.equal(page.run('google_tag_manager.dataLayer'), undefined);
  });

  claim(
    name,
    'gives an experiment the original, and nothing to who lists experiments',
    async (page, assert) => {
      Object.assign(page.window, { named: spy(), listing: spy(), removed: spy() });
      page.run(snippets.gtag);
      page.load(name, src);
      page.run(`gtag('event', 'optimize.callback', {name: 'ABCDE', callback: named});
      gtag('event', 'optimize.callback', {callback: listing});
      gtag('event', 'optimize.callback', {name: 'ABCDE', callback: removed, remove: true});`);
      await page.settle();
      assert.deepEqual(page.window.named.calls, [['0', 'ABCDE']]);
      never(page.window.listing);
      never(page.window.removed);
    }
  );
}

claim('gtm.js', 'shares a page with the others without calling anyone twice', async (page) => {
  page.window.callback = spy();
  page.window.shown = spy();
  page.run(`${snippets.hide} ${snippets.gtm} ${snippets.gtag}
    gtag('event', 'click', {event_callback: callback});`);
  page.load('gtm.js', GTM);
  page.load('gtag.js', GTAG);
  page.load('optimize.js', OPTIMIZE);
  page.load('analytics.js');
  await page.settle();
  once(page.window.callback);
  once(page.window.shown);
});

claim(
  'gtm.js',
  'brings a `ga` that calls back and keeps its calls for an analytics.js to come',
  async (page, assert) => {
    page.window.callback = spy();
    page.load('gtm.js', GTM);
    page.run(
      "ga('create', 'UA-1-1', 'auto'); ga('send', 'event', 'a', 'b', {hitCallback: callback});"
    );
    await page.settle();
    once(page.window.callback);
    assert.equal(page.run('ga.q.length'), 2);
    page.load('analytics.js');
    await page.settle();
    once(page.window.callback);
    assert.equal(page.run("ga.getAll()[0].get('trackingId')"), 'UA-1-1');
  }
);

claim('gtm.js', 'leaves a `ga` alone that is there', (page, assert) => {
  page.run('window.ga = function () { return 7; };');
  page.load('gtm.js', GTM);
  assert.equal(page.run('ga()'), 7);
  assert.ok(page.run("google_tag_manager['GTM-ABCDE']"));
});

claim('gtag.js', 'brings `gtag` to a page that forgot it', async (page, assert) => {
  page.window.callback = spy();
  page.load('gtag.js', GTAG);
  page.run("gtag('event', 'click', {event_callback: callback})");
  await page.settle();
  once(page.window.callback);
  assert.equal(page.run('dataLayer.length'), 1);
});

claim(
  'gtag.js',
  "lets Google's conversion snippet go on to its address, once",
  async (page, assert) => {
    page.run(`${snippets.gtag}
    function gtag_report_conversion(url) {
      var callback = function () { if (typeof url != 'undefined') window.location = url; };
      gtag('event', 'conversion', {send_to: 'AW-1234567890/ABCDE', event_callback: callback});
      return false;
    }`);
    Object.defineProperty(page.window, 'location', { set: (url) => page.visited.push(url) });
    page.load('gtag.js', 'https://www.googletagmanager.com/gtag/js?id=AW-1234567890');
    page.run("gtag_report_conversion('https://shop.example/thanks')");
    await page.settle();
    assert.deepEqual(page.visited, ['https://shop.example/thanks']);
  }
);

claim(
  'optimize.js',
  'answers `google_optimize.get` and `cxApi` with the original',
  (page, assert) => {
    page.load('optimize.js', OPTIMIZE);
    assert.equal(page.run("google_optimize.get('ABCDE')"), undefined);
    page.run(`cxApi.setDomainName('none'); cxApi.setAllowHash(false); cxApi.setCookiePath('/');
    cxApi.setChosenVariation(0, 'a');`);
    assert.equal(page.run('cxApi.chooseVariation() === cxApi.ORIGINAL_VARIATION'), true);
    assert.equal(page.run("cxApi.getChosenVariation('a') === cxApi.ORIGINAL_VARIATION"), true);
  }
);
