// Stands in for conversion.js and conversion_async.js of www.googleadservices.com (Google Ads).
// API: Google's phone and click conversion snippets, which call `google_trackConversion(options)`.
// Breakage: checkouts call it without a look, and leave the page only in `onload_callback`.
(() => {
  'use strict';

  window.google_trackConversion =
    window.google_trackConversion ||
    ((options) => {
      const callback = options && options.onload_callback;
      if (typeof callback === 'function') setTimeout(callback, 0);
    });
  // Defined by the page, as a rule; where it is not, the link must still lead somewhere.
  window.goog_report_conversion =
    window.goog_report_conversion ||
    ((url) => {
      if (url) window.location.href = String(url);
    });
})();
