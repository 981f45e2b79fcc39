// Stands in for gateway.foresee.com/sites/<key>/…/gateway.min.js (ForeSee, now Verint).
// API: https://developer.foresee.com/ (Web SDK: fsReady, FSR.CPPS)
// Breakage: pages wait in `fsReady`, whose snippet only stores calls; the older `acsReady` snippet
// asks for `__acsReady__` every 50 ms for as long as the page lives. No invitation, no replay.
(() => {
  'use strict';

  if (window._fsAlreadyBootedSDK) return;
  window._fsAlreadyBootedSDK = true;

  const nothing = () => {};
  const ready = (...callbacks) =>
    callbacks.forEach((callback) => {
      if (typeof callback === 'function') setTimeout(callback, 0);
    });
  // Adds what is missing: a page may keep settings of its own in these objects.
  const fill = (name, members) => {
    const own = (window[name] = window[name] || {});
    Object.keys(members).forEach((key) => {
      if (!(key in own)) own[key] = members[key];
    });
  };

  fill('FSR', {
    surveydefs: [],
    CPPS: { set: nothing, get: nothing, append: nothing, erase: nothing, all: () => ({}) },
    showInvite: nothing,
    pageReset: nothing,
  });
  fill('FSFB', { showFeedback: nothing });
  // Site configurations come as definitions and requirements; none of them is run.
  ['_fsDefine', '_fsRequire', '_acsDefine', '_acsRequire'].forEach((name) => {
    window[name] = window[name] || nothing;
  });

  ['fsReady', 'acsReady'].forEach((name) => {
    const waiting = Array.from(window['__' + name + '_stk__'] || []);
    window[name] = ready;
    window['__' + name + '__'] = ready;
    const run = (call) => ready(...Array.from(call));
    window['__' + name + '_stk__'] = Object.assign([], { push: run });
    waiting.forEach(run);
  });
})();
