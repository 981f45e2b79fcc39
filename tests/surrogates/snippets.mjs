// What the vendors tell a site to paste: each makes a queue and loads the library (left out here).
export const snippets = {
  analytics: `
    window.GoogleAnalyticsObject = 'ga';
    window.ga = window.ga || function () { (ga.q = ga.q || []).push(arguments); };
    ga.l = 1 * new Date();`,
  ga: 'var _gaq = _gaq || [];',
  gtag: `
    window.dataLayer = window.dataLayer || [];
    function gtag() { dataLayer.push(arguments); }`,
  gtm: `
    window.dataLayer = window.dataLayer || [];
    dataLayer.push({'gtm.start': new Date().getTime(), event: 'gtm.js'});`,
  hide: `
    (function (a, s, y, n, c, h, i) {
      s.className += ' ' + y; h.start = 1 * new Date();
      h.end = i = function () { s.className = s.className.replace(RegExp(' ?' + y), ''); shown(); };
      (a[n] = a[n] || []).hide = h; h.timeout = c;
    })(window, document.documentElement, 'async-hide', 'dataLayer', 4000,
       {'GTM-ABCDE': true, 'GTM-FGHIJ': true});`,
  fbq: `
    !function (f, n) {
      if (f.fbq) return;
      n = f.fbq = function () {
        n.callMethod ? n.callMethod.apply(n, arguments) : n.queue.push(arguments);
      };
      if (!f._fbq) f._fbq = n;
      n.push = n; n.loaded = !0; n.version = '2.0'; n.queue = [];
    }(window);`,
  twttr: `
    window.twttr = (function (t) {
      t._e = []; t.ready = function (f) { t._e.push(f); };
      return t;
    })(window.twttr || {});`,
  fsReady: `
    window.fsReady = function () {
      (window.__fsReady_stk__ = window.__fsReady_stk__ || []).push(arguments);
    };`,
  verint: `
    window._vrntSdkInit = {varName: 'unifiedSDK'};
    var readyCallbacks = [];
    window.uwsReady = function (callback) { readyCallbacks.push(callback); };`,
  wcm: `
    (function (a, c, f, g, k) {
      a[c] = a[c] || function () { (a[c].q = a[c].q || []).push(arguments); };
      a[g] || (a[g] = k.ak);
      a[f] = function (b, d, e) { a[c](2, b, k, d, null, new Date(), e); };
      a[f]();
    })(window, '_googWcmImpl', '_googWcmGet', '_googWcmAk', {ak: '1234567890', cl: 'ABCDE'});`,
  conversion: `
    var goog_report_conversion = function (url) {
      var opt = new Object();
      opt.onload_callback = function () {
        if (typeof url != 'undefined') window.location.href = url;
      };
      var conv_handler = window['google_trackConversion'];
      if (typeof conv_handler == 'function') conv_handler(opt);
    };`,
};
