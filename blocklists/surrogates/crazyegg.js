// Stands in for https://script.crazyegg.com/pages/scripts/<account>.js (Crazy Egg).
// API: https://support.crazyegg.com/hc/en-us (user variables, tags, `CE_API`)
// Breakage: pages poll until `CE2` is there, then call it; code waits in `CE_API`. No recording, no
// heat map; the page is the original of any A/B test.
(() => {
  'use strict';

  const later = (callback) => {
    if (typeof callback === 'function') setTimeout(callback, 0);
  };
  const CE2 = (window.CE2 = window.CE2 || {});
  CE2.set = CE2.set || (() => {});
  CE2.addTag = CE2.addTag || (() => {});

  const queue = window.CE_API;
  if (queue && queue.answered) return;
  const run = (...callbacks) => callbacks.forEach(later);
  window.CE_API = Object.assign([], { answered: true, push: run });
  run(...Array.from(queue || []));
  later(window.CE_READY);
})();
