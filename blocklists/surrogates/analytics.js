// Stands in for https://www.google-analytics.com/analytics.js (Universal Analytics).
// API: https://developers.google.com/analytics/devguides/collection/analyticsjs
// Breakage: links and forms wait for `hitCallback`; scripts call `ga.getAll()[0].get('clientId')`
// and stop where it throws; Optimize, loaded through it, keeps the page invisible. Sends nothing.
(() => {
  'use strict';

  const name = window.GoogleAnalyticsObject || 'ga';
  const stub = window[name];
  if (stub && stub.loaded) return;

  const later = (callback, ...args) => {
    if (typeof callback === 'function') setTimeout(callback, 0, ...args);
  };
  // An error in the page's own code surfaces as it would have, and stops nobody else.
  const attempt = (callback, ...args) => {
    try {
      callback(...args);
    } catch (error) {
      later(() => {
        throw error;
      });
    }
  };
  const isObject = (value) => value !== null && typeof value === 'object';

  // In all its forms: among the fields, as a pair of arguments, or set on the tracker before.
  const callbackOf = (args, tracker) => {
    const last = args[args.length - 1];
    const pair = args.indexOf('hitCallback');
    if (isObject(last) && last.hitCallback) return last.hitCallback;
    return pair < 0 ? tracker.get('hitCallback') : args[pair + 1];
  };

  class Tracker {
    constructor(fields) {
      // Text, for pages split it and put it into links; empty, for there is no client.
      this.fields = Object.assign({ clientId: '', linkerParam: '' }, fields);
    }
    get(field) {
      return this.fields[field];
    }
    set(field, value) {
      Object.assign(this.fields, isObject(field) ? field : { [field]: value });
    }
    send(...args) {
      later(callbackOf(args, this));
    }
  }

  const trackers = Object.create(null);
  const create = (...args) => {
    const words = args.filter((arg) => typeof arg === 'string');
    const fields = { trackingId: words[0], cookieDomain: words[1], name: words[2] };
    Object.assign(fields, ...args.filter(isObject));
    fields.name = fields.name || 't0';
    trackers[fields.name] = trackers[fields.name] || new Tracker(fields);
    return trackers[fields.name];
  };
  const remove = (tracker) => {
    delete trackers[tracker];
  };
  // A page may ask for a tracker that a script we also stopped would have made.
  const getByName = (tracker) => trackers[tracker] || create({ name: tracker });
  const getAll = () => {
    if (!Object.keys(trackers).length) create();
    return Object.keys(trackers).map((tracker) => trackers[tracker]);
  };

  const run = (command, args) => {
    const parts = String(command).split('.');
    const method = parts.pop();
    const owner = parts[0] || 't0';
    if (method === 'create') create(...args);
    else if (method === 'remove') remove(owner);
    else if (method === 'set') getByName(owner).set(...args);
    else if (method === 'send') getByName(owner).send(...args);
  };
  const ga = function (command, ...args) {
    if (typeof command === 'function') attempt(command, getByName('t0'));
    else attempt(run, command, args);
  };
  window[name] = Object.assign(ga, { create, remove, getByName, getAll, loaded: true, answer: 42 });

  const plugins = (window.gaplugins = window.gaplugins || {});
  plugins.EC = plugins.EC || class {};
  plugins.Linker =
    plugins.Linker ||
    class {
      autoLink() {}
      passthrough() {}
      decorate(target) {
        return target;
      }
    };

  const hide = window.dataLayer && window.dataLayer.hide;
  if (hide && typeof hide.end === 'function') {
    const end = hide.end;
    hide.end = null;
    Object.keys(hide).forEach((key) => {
      if (hide[key] === true) hide[key] = false;
    });
    attempt(() => end.call(hide));
  }

  Array.from((stub && stub.q) || []).forEach((call) => attempt(() => ga(...Array.from(call))));
})();
