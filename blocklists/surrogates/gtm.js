// Stands in for https://www.googletagmanager.com/gtm.js (a Tag Manager container).
// API: https://developers.google.com/tag-platform/tag-manager/datalayer
// Breakage: links that wait for `eventCallback`, pages that read `dataLayer` or
// `google_tag_manager[id]`, pages left invisible by the anti-flicker snippet, and calls of a `ga`
// that only the container used to bring. No tag of the container runs.
(() => {
  'use strict';

  // --- the layer: one text in gtag.js, gtm.js and optimize.js, for each may be alone on a page
  const script = document.currentScript;
  const asked = (name) =>
    (new RegExp('[?&]' + name + '=([^&#]+)').exec((script && script.src) || '') || [])[1];
  const id = asked('id');
  const name = asked('l') || 'dataLayer';
  if (!window[name] || typeof window[name].push !== 'function') window[name] = [];
  const layer = window[name];
  let standing;

  const later = (callback, ...args) => {
    if (typeof callback === 'function') setTimeout(callback, 0, ...args);
  };
  // An error in the page's own code surfaces as it would have, and stops nobody else.
  const attempt = (callback, self) => {
    try {
      callback.call(self);
    } catch (error) {
      later(() => {
        throw error;
      });
    }
  };

  // Pages read `google_tag_manager[id].dataLayer.get(key)` and push functions that use `this.get`.
  const model = {
    get: (key) =>
      Array.from(layer).reduce(
        (value, item) => (item && typeof item === 'object' && key in item ? item[key] : value),
        undefined
      ),
    set() {},
    reset() {},
  };

  const commands = {
    // Links and forms wait for it. It is due by `event_timeout` at the latest (`eventTimeout` for
    // `eventCallback`); with nothing to send it is due now.
    event(action, fields) {
      later(fields.event_callback || standing, id);
      // Variant 0 is the original. Without a name the callback lists experiments: there are none.
      if (action === 'optimize.callback' && fields.name && !fields.remove) {
        later(fields.callback, '0', fields.name);
      }
    },
    config(target, fields) {
      if (fields.send_page_view !== false) later(fields.event_callback, id);
    },
    set(key, value) {
      const fields = key && typeof key === 'object' ? key : { [key]: value };
      if ('event_callback' in fields) standing = fields.event_callback;
    },
    // The page's promise must settle; there is no identifier to hand out.
    get(target, field, callback) {
      later(callback, undefined);
    },
  };
  const answer = (item) => {
    if (typeof item === 'function') {
      item.call(model);
    } else if (item && typeof item === 'object' && typeof item[0] === 'string') {
      const command = commands.hasOwnProperty(item[0]) ? commands[item[0]] : () => {};
      command(item[1], item[2] || {}, item[3]);
    } else if (item) {
      later(item.eventCallback, id);
    }
  };

  // The anti-flicker snippet keeps the page invisible until `end()`, or for its whole timeout.
  const hide = layer.hide;
  if (hide && typeof hide.end === 'function') {
    const end = hide.end;
    hide.end = null;
    Object.keys(hide).forEach((key) => {
      if (hide[key] === true) hide[key] = false;
    });
    attempt(end, hide);
  }

  const containers = (window.google_tag_manager = window.google_tag_manager || {});
  containers.rm = containers.rm || {};
  if (id && !containers[id]) {
    containers[id] = { dataLayer: model, macro() {}, onHtmlSuccess() {}, onHtmlFailure() {} };
  }

  // The layer stays the page's array, for pages read it (mass.gov fills form fields from it). What
  // was pushed before is answered too; a second surrogate on the same layer leaves it alone.
  const answered = Symbol.for('optout-proxy');
  if (!layer[answered]) {
    const push = layer.push;
    const before = Array.from(layer);
    Object.defineProperty(layer, answered, { value: true });
    layer.push = function (...items) {
      const length = push.apply(layer, items);
      items.forEach((item) => attempt(() => answer(item)));
      return length;
    };
    before.forEach((item) => attempt(() => answer(item)));
  }
  // --- end of the layer

  // Calls are kept as in Google's own snippet, should analytics.js come by another way; what waits
  // for a hit is told at once, and only once.
  const ga = function (...args) {
    const last = args[args.length - 1];
    if (last && typeof last.hitCallback === 'function') {
      later(last.hitCallback);
      args[args.length - 1] = Object.assign({}, last, { hitCallback: undefined });
    }
    ga.q.push(args);
  };
  ga.q = [];
  const ours = window.GoogleAnalyticsObject || 'ga';
  window[ours] = window[ours] || ga;
})();
