// Stands in for ucm-*.verint-cdn.com/…/sdk.js (Verint's Unified WebSDK, the heir of ForeSee).
// A module as well as a classic script: the vendor's snippet loads it by `import()` or as
// `type="module"`, then calls `window[varName].start(config, readyCallbacks)`.
// Breakage: the snippet throws where `start` is missing; callbacks given to `uwsReady` never run.
(() => {
  'use strict';

  const name = (window._vrntSdkInit || {}).varName || 'unifiedSDK';
  if (window[name] && window[name].start) return;

  const sdk = (window[name] = window[name] || {});
  sdk.start = (config, callbacks) => {
    window.uwsReady = (callback) => {
      if (typeof callback === 'function') setTimeout(callback, 0, sdk);
    };
    const waiting = Array.isArray(callbacks) ? callbacks.splice(0) : [];
    waiting.forEach((callback) => window.uwsReady(callback));
  };
})();
