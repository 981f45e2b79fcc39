// Heat maps and surveys: Crazy Egg, ForeSee, Verint.
import { claim } from './claims.mjs';
import { never, once } from './count.mjs';
import { spy } from './page.mjs';
import { snippets } from './snippets.mjs';

// --- crazyegg.js
claim(
  'crazyegg.js',
  'is there for pages that poll for it, and takes their calls',
  (page, assert) => {
    page.load('crazyegg.js');
    page.run("CE2.set(1, 'a'); CE2.addTag('b');");
    assert.ok(page.run('window.CE2'));
  }
);

claim('crazyegg.js', 'calls who waits in CE_API, before and after, once', async (page) => {
  Object.assign(page.window, { before: spy(), after: spy(), ready: spy() });
  page.run('(window.CE_API || (window.CE_API = [])).push(before); window.CE_READY = ready;');
  page.load('crazyegg.js');
  page.run('(window.CE_API || (window.CE_API = [])).push(after)');
  await page.settle();
  once(page.window.before);
  once(page.window.after);
  once(page.window.ready);
});

// --- foresee.js
claim(
  'foresee.js',
  'calls who waits in fsReady, before and after, later and once',
  async (page) => {
    Object.assign(page.window, { before: spy(), second: spy(), after: spy() });
    page.run(`${snippets.fsReady} var stub = fsReady; fsReady(before, second);`);
    page.load('foresee.js');
    page.run('fsReady(after)');
    never(page.window.after, 'at once');
    await page.settle();
    [page.window.before, page.window.second, page.window.after].forEach((each) => once(each));
    page.window.late = spy();
    page.run('stub(late)');
    await page.settle();
    once(page.window.late);
  }
);

claim('foresee.js', 'ends the polling of the older acsReady snippet', async (page, assert) => {
  page.window.callback = spy();
  page.load('foresee.js');
  assert.equal(page.run("typeof window['__acsReady__']"), 'function');
  page.run("window['__acsReady__'].call(window, callback); acsReady(callback);");
  await page.settle();
  assert.equal(page.window.callback.calls.length, 2);
});

claim(
  'foresee.js',
  'goes on when a callback throws, and takes variables of the site',
  async (page, assert) => {
    page.window.callback = spy();
    page.run(`${snippets.fsReady} window.FSR = {surveydefs: [1]};
    fsReady(function () { throw new Error('page'); }, undefined, function () {
      FSR.CPPS.set('name', 'value'); FSFB.showFeedback(); _fsDefine([], function () {});
      callback(); });`);
    page.load('foresee.js');
    await page.settle();
    once(page.window.callback);
    assert.deepEqual(
      page.errors.splice(0).map((error) => error.message),
      ['page']
    );
    assert.equal(page.run('FSR.surveydefs.length'), 1);
  }
);

// --- verint.js
claim('verint.js', "serves the vendor's snippet, and calls back once", async (page, assert) => {
  Object.assign(page.window, { before: spy(), after: spy() });
  page.run(`${snippets.verint} uwsReady(before);`);
  page.load('verint.js');
  page.run('window[_vrntSdkInit.varName].start(_vrntSdkInit, readyCallbacks); uwsReady(after);');
  page.run('unifiedSDK.start(_vrntSdkInit, readyCallbacks); unifiedSDK.start();');
  await page.settle();
  once(page.window.before);
  once(page.window.after);
});

claim('verint.js', 'serves the name the page chose', (page, assert) => {
  page.run("window._vrntSdkInit = {varName: 'feedback'};");
  page.load('verint.js');
  assert.equal(page.run('typeof feedback.start'), 'function');
});

claim('verint.js', 'can be imported as a module', async (page, assert) => {
  globalThis.window = page.window;
  const text = encodeURIComponent(page.source('verint.js'));
  await import(`data:text/javascript,${text}`);
  delete globalThis.window;
  assert.equal(typeof page.window.unifiedSDK?.start, 'function');
});
