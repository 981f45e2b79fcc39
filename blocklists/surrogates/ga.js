// Stands in for ga.js and dc.js (classic Google Analytics) and urchin.js before them.
// API: https://developers.google.com/analytics/devguides/collection/gajs/methods/
// Breakage: `onclick="_gaq.push(['_link', this.href]); return false"` leads nowhere, and
// `_gat._getTracker(…)` throws and takes the rest of the script with it. Sends nothing.
(() => {
  'use strict';

  const queue = window._gaq;
  if (queue && queue._getAsyncTracker) return;

  const later = (callback, ...args) => {
    if (typeof callback === 'function') setTimeout(callback, 0, ...args);
  };
  const attempt = (callback) => {
    try {
      callback();
    } catch (error) {
      later(() => {
        throw error;
      });
    }
  };
  const go = (url) => {
    if (url) window.location.href = String(url);
  };

  // Some sixty methods, all with names in `_`: those that matter here, and nothing for the others.
  const nothing = () => {};
  const surface = (known) =>
    new Proxy(known, {
      get(own, method) {
        if (method in own) return own[method];
        return typeof method === 'string' && method[0] === '_' ? nothing : undefined;
      },
    });

  const createTracker = (account, name) => {
    let waiting;
    // Who sets `hitCallback` waits for the hit that comes next.
    const hit = () => {
      later(waiting);
      waiting = undefined;
    };
    return surface({
      _set(field, value) {
        if (field === 'hitCallback') waiting = value;
      },
      _trackPageview: hit,
      _trackEvent: hit,
      _trackSocial: hit,
      _trackTiming: hit,
      _trackTrans: hit,
      _link: go,
      _getLinkerUrl: (url) => url,
      _getAccount: () => account || '',
      _getName: () => name || '',
      _visitCode: () => '',
    });
  };
  const trackers = Object.create(null);
  const create = (account, name) => {
    trackers[name || ''] = createTracker(account, name);
    return trackers[name || ''];
  };
  const named = (name) => trackers[name || ''] || create('', name);

  window._gat =
    window._gat ||
    surface({
      _getTracker: (account) => create(account, ''),
      _createTracker: create,
      _getTrackerByName: named,
      _getTrackers: () => Object.keys(trackers).map(named),
    });

  // ['_trackEvent', …], ['second._trackEvent', …] or a function.
  const run = (item) => {
    if (typeof item === 'function') {
      item.call(window._gaq);
    } else if (item && typeof item[0] === 'string') {
      const parts = item[0].split('.');
      const method = named(parts.slice(0, -1).join('.'))[parts[parts.length - 1]];
      if (typeof method === 'function') method(...Array.from(item).slice(1));
    }
  };
  window._gaq = {
    push(...items) {
      items.forEach((item) => attempt(() => run(item)));
      return 0;
    },
    _createAsyncTracker: create,
    _getAsyncTracker: named,
  };
  window._gaq.push(...Array.from(queue || []));

  const urchin = {
    urchinTracker() {},
    __utmLinker: go,
    __utmLinkPost() {},
    __utmSetTrans() {},
    __utmSetVar() {},
  };
  Object.keys(urchin).forEach((key) => {
    window[key] = window[key] || urchin[key];
  });
})();
