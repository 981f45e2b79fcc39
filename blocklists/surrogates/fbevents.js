// Stands in for https://connect.facebook.net/<locale>/fbevents.js (Meta Pixel) and fbds.js.
// API: https://developers.facebook.com/docs/meta-pixel/reference
// Breakage: a page that loads the library without the base code throws on `fbq`; with the base code
// its queue would grow for as long as the page lives. No call has a callback; nothing is sent.
(() => {
  'use strict';

  const nothing = () => {};
  const fbq = (window.fbq = window.fbq || function () {});
  window._fbq = window._fbq || fbq;
  // The base code hands every call to `callMethod` once it is there, and queues until then.
  fbq.callMethod = nothing;
  fbq.queue = [];
  fbq.push = fbq.push || nothing;
  fbq.loaded = true;
  fbq.version = fbq.version || '2.0';
  fbq.getState = fbq.getState || (() => ({ pixels: [] }));
  // The pixel before this one (fbds.js): an array of calls.
  if (Array.isArray(window._fbq)) {
    window._fbq.length = 0;
    window._fbq.push = nothing;
  }
  window._fbq.loaded = true;
})();
