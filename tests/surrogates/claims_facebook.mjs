// The Meta Pixel and the Facebook SDK.
import { claim } from './claims.mjs';
import { never, once } from './count.mjs';
import { spy } from './page.mjs';
import { snippets } from './snippets.mjs';

// --- fbevents.js
claim('fbevents.js', 'empties the queue of the base code and keeps it empty', (page, assert) => {
  page.run(`${snippets.fbq} var same = fbq; fbq('init', '1234567890'); fbq('track', 'PageView');`);
  page.load('fbevents.js');
  page.run("fbq('track', 'Lead', {value: 1}, {eventID: 'a'}); fbq.push(['track', 'Lead']);");
  assert.equal(page.run('fbq === same && _fbq === same && fbq.queue.length'), 0);
});

claim('fbevents.js', 'serves a page without the base code', (page, assert) => {
  page.load('fbevents.js');
  page.run(
    "fbq('init', '1'); fbq('consent', 'revoke'); fbq('dataProcessingOptions', ['LDU'], 0, 0);"
  );
  page.run("_fbq('track', 'PageView'); fbq.push(['track', 'Lead']); fbq.disablePushState = true;");
  assert.equal(page.run('fbq.loaded'), true);
  assert.equal(page.run('fbq.getState().pixels.length + fbq.version'), '02.0');
});

claim('fbevents.js', 'empties the array of the pixel before it', (page, assert) => {
  page.run("window._fbq = [['addPixelId', '1']];");
  page.load('fbevents.js');
  page.run("_fbq.push(['track', '1', {value: 1}])");
  assert.equal(page.run('_fbq.length + String(_fbq.loaded)'), '0true');
});

// --- fb-sdk.js
claim('fb-sdk.js', 'calls fbAsyncInit once, with FB there', async (page, assert) => {
  page.window.callback = spy();
  page.run("window.fbAsyncInit = function () { callback(typeof FB.init({appId: '1'})); };");
  page.load('fb-sdk.js');
  await page.settle();
  assert.deepEqual(page.window.callback.calls, [['undefined']]);
});

const LOGGED_OUT = {
  getLoginStatus: 'FB.getLoginStatus(callback, true)',
  login: "FB.login(callback, {scope: 'email'})",
  logout: 'FB.logout(callback)',
};
for (const [method, code] of Object.entries(LOGGED_OUT)) {
  claim('fb-sdk.js', `knows nobody in ${method}`, async (page, assert) => {
    page.window.callback = spy();
    page.load('fb-sdk.js');
    page.run(code);
    never(page.window.callback, 'at once');
    await page.settle();
    once(page.window.callback);
    const [answer] = page.window.callback.calls[0];
    assert.deepEqual({ ...answer }, { authResponse: null, status: 'unknown' });
    assert.equal(page.run('FB.getAuthResponse() === null && FB.getAccessToken()'), null);
    assert.equal(page.run('FB.getUserID()'), '');
  });
}

claim(
  'fb-sdk.js',
  'fails a Graph call in whatever form, as without a login',
  async (page, assert) => {
    page.window.callback = spy();
    page.load('fb-sdk.js');
    page.run("FB.api('/me', callback); FB.api('/me', 'post', {a: 1}, callback); FB.api('/me');");
    await page.settle();
    assert.deepEqual(
      page.window.callback.calls.map(([answer]) => answer.error.code),
      [2500, 2500]
    );
  }
);

claim(
  'fb-sdk.js',
  'opens the share page when asked to share, and calls back',
  async (page, assert) => {
    page.window.callback = spy();
    page.load('fb-sdk.js');
    page.run("FB.ui({method: 'share', href: 'https://a.example/?b=c&d'}, callback)");
    page.run("FB.ui({method: 'apprequests', message: 'a'}, callback); FB.ui(undefined, callback);");
    await page.settle();
    assert.deepEqual(page.opened, [
      'https://www.facebook.com/sharer/sharer.php?u=https%3A%2F%2Fa.example%2F%3Fb%3Dc%26d',
    ]);
    assert.deepEqual(page.window.callback.calls, [[undefined], [undefined], [undefined]]);
  }
);

claim('fb-sdk.js', 'tells who waits for the plugins that they are done', async (page) => {
  Object.assign(page.window, { rendered: spy(), parsed: spy(), gone: spy() });
  page.run(`window.fbAsyncInit = function () {
    FB.Event.subscribe('xfbml.render', rendered);
    FB.Event.subscribe('xfbml.render', gone); FB.Event.unsubscribe('xfbml.render', gone);
    FB.Event.subscribe('auth.login', gone); FB.Event.clear('auth.login');
    FB.XFBML.parse(document.body, parsed);
  };`);
  page.load('fb-sdk.js');
  await page.settle();
  once(page.window.rendered);
  once(page.window.parsed);
  never(page.window.gone);
});

for (const [how, src, init] of [
  ['the address', 'https://connect.facebook.net/en_US/sdk.js#xfbml=1&version=v20.0', ''],
  ['init', 'https://connect.facebook.net/en_US/sdk.js', 'FB.init({xfbml: true});'],
]) {
  claim(
    'fb-sdk.js',
    `tells listeners of the first rendering that ${how} asks for`,
    async (page) => {
      page.window.rendered = spy();
      page.run(`window.fbAsyncInit = function () {
      ${init} FB.Event.subscribe('xfbml.render', rendered); };`);
      page.load('fb-sdk.js', src);
      await page.settle();
      once(page.window.rendered);
    }
  );
}

claim('fb-sdk.js', 'plays the calls a loader kept', async (page) => {
  page.window.callback = spy();
  page.window.other = spy();
  page.run(`window.FB = {__buffer: {calls: [['getLoginStatus', [callback]], ['nothing', []],
    ['XFBML.parse', [null, other]]]}};`);
  page.load('fb-sdk.js');
  await page.settle();
  once(page.window.callback);
  once(page.window.other);
});

claim('fb-sdk.js', 'leaves an fbAsyncInit alone that ran before', async (page, assert) => {
  page.window.callback = spy();
  page.run('window.fbAsyncInit = function () { callback(); }; fbAsyncInit.hasRun = true;');
  page.load('fb-sdk.js');
  await page.settle();
  never(page.window.callback);
  assert.ok(page.run('FB.init'));
});

claim('fb-sdk.js', 'calls back from games too', async (page, assert) => {
  page.window.callback = spy();
  page.load('fb-sdk.js');
  page.run('FB.gamingservices.friendFinder(callback)');
  page.run("FB.gamingservices.uploadImageToMediaLibrary('a', 'b', false, callback)");
  await page.settle();
  assert.deepEqual(page.window.callback.calls, [[undefined], [undefined]]);
});

claim('fb-sdk.js', 'takes events and the lesser parts in silence', (page, assert) => {
  page.load('fb-sdk.js');
  page.run(`FB.AppEvents.logPageView();
    FB.AppEvents.logEvent(FB.AppEvents.EventNames.ADDED_TO_CART);
    FB.Canvas.setAutoGrow(); FB.Canvas.Plugin.hidePluginElement(); FB.CustomerChat.hide();`);
  assert.equal(page.run('typeof FB.__buffer'), 'undefined');
});
