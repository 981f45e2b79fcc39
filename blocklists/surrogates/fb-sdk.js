// Stands in for connect.facebook.net/<locale>/sdk.js and all.js (Facebook's JavaScript SDK).
// API: https://developers.facebook.com/docs/javascript/reference
// Breakage: pages hang their own start on `fbAsyncInit`, on `FB.getLoginStatus` or on a share
// button. Nobody is logged in here, calls of the Graph API fail as they do without a login, and
// sharing opens Facebook's share page when the visitor asks for it. Nothing is sent.
(() => {
  'use strict';

  const before = window.FB;
  if (before && !before.__buffer) return;

  const later = (callback, ...args) => {
    if (typeof callback === 'function') setTimeout(callback, 0, ...args);
  };
  const nothing = () => {};
  const loggedOut = () => ({ authResponse: null, status: 'unknown' });
  const tell = (callback) => later(callback, loggedOut());
  const lastOf = (args) => args.filter((arg) => typeof arg === 'function').pop();

  let listeners = [];
  const rendered = () =>
    listeners.filter((one) => one.event === 'xfbml.render').forEach((one) => later(one.callback));

  const share = (asked) => {
    const url = asked.href || asked.link || window.location.href;
    const page = 'https://www.facebook.com/sharer/sharer.php?u=' + encodeURIComponent(url);
    window.open(page, '_blank', 'noopener,noreferrer,width=640,height=480');
  };

  const FB = {
    init(options) {
      if (options && options.xfbml) later(rendered);
    },
    api(...args) {
      const message = 'No access token: the Facebook SDK is not loaded on this page.';
      later(lastOf(args), { error: { message, type: 'OAuthException', code: 2500 } });
    },
    ui(asked, callback) {
      if (asked && /^(share|feed)$/.test(asked.method)) share(asked);
      later(callback, undefined);
    },
    getLoginStatus: tell,
    login: tell,
    logout: tell,
    getAuthResponse: () => null,
    getAccessToken: () => null,
    getUserID: () => '',
    Event: {
      subscribe: (event, callback) => listeners.push({ event, callback }),
      unsubscribe(event, callback) {
        listeners = listeners.filter((one) => one.event !== event || one.callback !== callback);
      },
      clear(event) {
        listeners = listeners.filter((one) => one.event !== event);
      },
    },
    XFBML: {
      parse(...args) {
        later(lastOf(args));
        later(rendered);
      },
    },
    AppEvents: { EventNames: {}, ParameterNames: {} },
    Canvas: { Plugin: {} },
    CustomerChat: {},
    gamingservices: {
      friendFinder: (callback) => later(callback, undefined),
      uploadImageToMediaLibrary: (...args) => later(lastOf(args), undefined),
    },
  };
  const stub = (owner, names) => names.split(' ').forEach((name) => (owner[name] = nothing));
  stub(
    FB.AppEvents,
    'activateApp logEvent logPageView logPurchase setUserID getUserID clearUserID ' +
      'setAppVersion getAppVersion clearAppVersion updateUserProperties'
  );
  stub(
    FB.Canvas,
    'setSize setAutoGrow scrollTo setDoneLoading startTimer stopTimer setUrlHandler getPageInfo'
  );
  stub(FB.Canvas.Plugin, 'hidePluginElement showPluginElement');
  stub(FB.CustomerChat, 'show showDialog hide hideDialog update');
  window.FB = FB;

  // Facebook's own flag: an `fbAsyncInit` that ran does not run again.
  const start = window.fbAsyncInit;
  if (typeof start === 'function' && !start.hasRun) {
    start.hasRun = true;
    later(start);
  }
  // A loader may have kept calls, as [method, arguments].
  const calls = (before && before.__buffer && before.__buffer.calls) || [];
  Array.from(calls).forEach((call) => {
    const method = String(call[0])
      .split('.')
      .reduce((owner, name) => (owner ? owner[name] : undefined), FB);
    if (typeof method === 'function') later(() => method(...Array.from(call[1] || [])));
  });
  const script = document.currentScript;
  if (/#.*\bxfbml=(1|true)\b/.test((script && script.src) || '')) later(() => later(rendered));
})();
