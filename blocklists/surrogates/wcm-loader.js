// Stands in for www.gstatic.com/wcm/loader.js and gaphone/loader.js (Google Ads: telephone calls).
// API: `_googWcmGet(target, number)`; its snippet queues `_googWcmImpl(2, target, config, number)`.
// Breakage: a page that shows its telephone number only in the callback shows none. It gets its
// own number back.
(() => {
  'use strict';

  const answer = (mode, target, config, number) => {
    // callback(number as displayed, number for a tel: link)
    if (typeof target === 'function') setTimeout(target, 0, number, number);
  };
  answer.answers = true;
  ['_googWcmImpl', '_gaPhoneImpl'].forEach((name) => {
    const stub = window[name] || {};
    if (stub.answers) return;
    window[name] = answer;
    Array.from(stub.q || []).forEach((call) => answer(...Array.from(call)));
  });
  window._googWcmGet = window._googWcmGet || ((target, number) => answer(2, target, {}, number));
})();
