// Google Analytics before the data layer: analytics.js and ga.js.
import { claim } from './claims.mjs';
import { never, once } from './count.mjs';
import { spy } from './page.mjs';
import { snippets } from './snippets.mjs';

// --- analytics.js
const FORMS = {
  'among the fields of a send': "ga('send', 'event', 'a', 'b', {hitCallback: callback})",
  'in a send of one object': "ga('send', {hitType: 'event', hitCallback: callback})",
  'in a send of a page': "ga('send', 'pageview', '/a', {hitCallback: callback})",
  'as a pair of arguments': "ga('send', 'pageview', 'hitCallback', callback)",
  'set before': "ga('set', 'hitCallback', callback); ga('send', 'pageview')",
  'set among others before':
    "ga('set', {dimension1: 'a', hitCallback: callback}); ga('send', 'pageview')",
  'given when created':
    "ga('create', 'UA-1-1', 'auto', 'n', {hitCallback: callback}); ga('n.send', 'pageview')",
  'of a named tracker':
    "ga('create', 'UA-1-1', {name: 'n'}); ga('n.send', 'event', 'a', 'b', {hitCallback: callback})",
  'of a tracker in hand':
    "ga(function (tracker) { tracker.send('pageview', {hitCallback: callback}); })",
  'of an exception': "ga('send', 'exception', {exDescription: 'a', hitCallback: callback})",
  'of a timing': "ga('send', 'timing', 'a', 'b', 5, 'c', {hitCallback: callback})",
};
for (const [form, code] of Object.entries(FORMS)) {
  claim('analytics.js', `calls back once what waits ${form}, queued`, async (page) => {
    page.window.callback = spy();
    page.run(snippets.analytics);
    page.run(code);
    page.load('analytics.js');
    never(page.window.callback, 'at once');
    await page.settle();
    once(page.window.callback);
  });
  claim('analytics.js', `calls back once what waits ${form}, after it came`, async (page) => {
    page.window.callback = spy();
    page.load('analytics.js');
    page.run(code);
    await page.settle();
    once(page.window.callback);
  });
}

claim('analytics.js', 'prefers the callback of one hit to the one set for all', async (page) => {
  Object.assign(page.window, { all: spy(), own: spy() });
  page.load('analytics.js');
  page.run("ga('set', 'hitCallback', all); ga('send', 'pageview', {hitCallback: own});");
  await page.settle();
  never(page.window.all);
  once(page.window.own);
});

claim(
  'analytics.js',
  'hands a tracker to every function, at once, queued or not',
  (page, assert) => {
    page.window.callback = spy();
    page.run(`${snippets.analytics} ga(callback);`);
    page.load('analytics.js');
    page.run('ga(callback)');
    assert.equal(page.window.callback.calls.length, 2);
    for (const [tracker] of page.window.callback.calls) assert.equal(tracker.get('clientId'), '');
  }
);

claim('analytics.js', 'has a tracker that answers in text where none was made', (page, assert) => {
  page.load('analytics.js');
  assert.equal(page.run("ga.getAll()[0].get('clientId').split('.').length"), 1);
  assert.equal(page.run("'?' + ga.getAll()[0].get('linkerParam')"), '?');
  assert.equal(page.run("ga.getByName('other').get('name')"), 'other');
});

claim('analytics.js', 'remembers what a tracker was told', (page, assert) => {
  page.run(`${snippets.analytics}
    ga('create', 'UA-1-1', 'auto'); ga('create', 'UA-1-2', 'auto', 'second');
    ga('set', 'page', '/a'); ga('second.set', {page: '/b'});`);
  page.load('analytics.js');
  assert.equal(
    page.run("ga.getAll().map((t) => t.get('trackingId') + t.get('page')).join()"),
    'UA-1-1/a,UA-1-2/b'
  );
  assert.equal(page.run("ga.create('UA-1-2', 'auto', 'second') === ga.getByName('second')"), true);
  page.run("ga('second.remove'); ga.remove('t0');");
  assert.equal(page.run("ga.getAll().length + ga.getAll()[0].get('name')"), '1t0');
});

claim('analytics.js', 'serves the name the page chose', async (page) => {
  page.window.callback = spy();
  page.run(`window.GoogleAnalyticsObject = 'track';
    window.track = function () { (track.q = track.q || []).push(arguments); };
    track('send', 'pageview', {hitCallback: callback});`);
  page.load('analytics.js');
  await page.settle();
  once(page.window.callback);
});

claim(
  'analytics.js',
  'takes plugins, unknown commands and nonsense in silence',
  async (page, assert) => {
    page.load('analytics.js');
    page.run(`ga('require', 'ec'); ga('require', 'GTM-ABCDE'); ga('provide', 'p', function () {});
    ga('ec:addProduct', {id: 1}); ga('linker:autoLink', ['a.example']); ga('second.ec:clear');
    ga(); ga(null); ga({}); ga('send'); ga('set'); ga('toString');
    ga('constructor.send', 'pageview');`);
    await page.settle();
    assert.equal(page.run('ga.loaded'), true);
  }
);

claim('analytics.js', 'leaves links as they are in the linker', (page, assert) => {
  page.load('analytics.js');
  assert.equal(
    page.run("new gaplugins.Linker(ga.getAll()[0]).decorate('https://a.example/')"),
    'https://a.example/'
  );
  assert.equal(
    page.run('new gaplugins.Linker({}).autoLink([]), typeof new gaplugins.EC()'),
    'object'
  );
});

claim(
  'analytics.js',
  'goes on when a callback throws, and lets the error surface',
  async (page, assert) => {
    page.window.callback = spy();
    page.run(`${snippets.analytics}
    ga(function () { throw new Error('page a'); });
    ga('send', 'pageview', {hitCallback: function () { throw new Error('page b'); }});
    ga('send', 'pageview', {hitCallback: callback});`);
    page.load('analytics.js');
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

claim('analytics.js', 'shows a page that the anti-flicker snippet hides', (page, assert) => {
  page.window.shown = spy();
  page.run(snippets.hide);
  page.load('analytics.js');
  once(page.window.shown);
  assert.equal(page.window.document.documentElement.className.trim(), '');
  assert.equal(page.run("dataLayer.hide.end || dataLayer.hide['GTM-ABCDE']"), false);
});

// --- ga.js
for (const [when, order] of [
  ['queued', 1],
  ['after it came', 0],
]) {
  claim('ga.js', `goes where a _link leads, ${when}`, (page, assert) => {
    page.run(snippets.ga);
    if (!order) page.load('ga.js');
    page.run("_gaq.push(['_setAccount', 'UA-1-1'], ['_link', 'https://a.example/b'])");
    if (order) page.load('ga.js');
    assert.deepEqual(page.visited, ['https://a.example/b']);
  });

  claim('ga.js', `calls back once who waits for the next hit, ${when}`, async (page) => {
    page.window.callback = spy();
    page.run(snippets.ga);
    if (!order) page.load('ga.js');
    page.run(`_gaq.push(['_set', 'hitCallback', callback]);
      _gaq.push(['_trackEvent', 'a', 'b', , , true]); _gaq.push(['_trackPageview']);`);
    if (order) page.load('ga.js');
    never(page.window.callback, 'at once');
    await page.settle();
    once(page.window.callback);
  });

  claim(
    'ga.js',
    `runs pushed functions, ${when}, and goes on when one throws`,
    async (page, assert) => {
      page.window.callback = spy();
      page.run(snippets.ga);
      if (!order) page.load('ga.js');
      page.run(`_gaq.push(function () { throw new Error('page'); }, function () {
      callback(_gat._getTrackerByName('x')._getLinkerUrl('https://a.example/')); });`);
      if (order) page.load('ga.js');
      await page.settle();
      assert.deepEqual(page.window.callback.calls, [['https://a.example/']]);
      assert.deepEqual(
        page.errors.splice(0).map((error) => error.message),
        ['page']
      );
    }
  );
}

for (const hit of ['Pageview', 'Event', 'Social', 'Timing', 'Trans']) {
  claim('ga.js', `counts _track${hit} as a hit`, async (page) => {
    page.window.callback = spy();
    page.load('ga.js');
    page.run(`_gaq.push(['_set', 'hitCallback', callback], ['_track${hit}', 'a'])`);
    await page.settle();
    once(page.window.callback);
  });
}

claim('ga.js', 'has every method of a tracker, and text where text is due', (page, assert) => {
  page.load('ga.js');
  page.run(`var tracker = _gat._getTracker('UA-1-1');
    tracker._setDomainName('none'); tracker._addTrans('1'); tracker._setCustomVar(1, 'a', 'b', 3);
    tracker._initData(); tracker._linkByPost({}); _gat._anonymizeIp(); _gat._forceSSL();
    _gaq._createAsyncTracker('UA-1-2', 'b')._trackPageview();`);
  assert.equal(
    page.run('tracker._getAccount() + tracker._getName() + tracker._visitCode()'),
    'UA-1-1'
  );
  assert.equal(page.run('_gaq._getAsyncTracker("b")._getAccount()'), 'UA-1-2');
  assert.equal(page.run('_gat._getTrackers().length'), 2);
  assert.equal(page.run('typeof tracker.then'), 'undefined');
});

claim('ga.js', 'keeps named trackers apart', async (page) => {
  Object.assign(page.window, { one: spy(), two: spy() });
  page.load('ga.js');
  page.run(
    `_gaq.push(['a._set', 'hitCallback', one], ['b._set', 'hitCallback', two]);
    _gaq.push(['b._trackPageview']);`
  );
  await page.settle();
  never(page.window.one);
  once(page.window.two);
});

claim('ga.js', 'survives what is no command', (page, assert) => {
  page.run("var _gaq = [null, 'text', [], ['_noSuchMethod'], ['a.b._x'], 7];");
  page.load('ga.js');
  assert.equal(page.run("_gaq.push(undefined, ['toString'], ['constructor'], ['_link'])"), 0);
  assert.deepEqual(page.visited, []);
});

claim('ga.js', 'serves urchin pages, links too', (page, assert) => {
  page.load('ga.js');
  page.run("_uacct = 'UA-1-1'; urchinTracker('/a'); __utmSetVar('a'); __utmLinkPost({});");
  page.run("__utmLinker('https://a.example/')");
  assert.deepEqual(page.visited, ['https://a.example/']);
});
