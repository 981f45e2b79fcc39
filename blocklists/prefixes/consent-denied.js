// Stands in front of https://www.googletagmanager.com/gtm.js and gtag/js, in the same answer.
// API: https://developers.google.com/tag-platform/security/guides/consent
// Says that nothing is consented to, and lets no later command grant anything. It is put right
// before the item that starts the tags, not at the top of the page: sites read the first item of
// the data layer as their own page data, and that is still the first one then.
(() => {
  'use strict';

  const script = document.currentScript;
  const named = /[?&]l=([^&#]+)/.exec((script && script.src) || '');
  const name = named ? decodeURIComponent(named[1]) : 'dataLayer';
  const layer = (window[name] = window[name] || []);
  if (!Array.isArray(layer) || layer.optoutDenied) return;
  Object.defineProperty(layer, 'optoutDenied', { value: true });

  const purposes = ['ad_storage', 'ad_user_data', 'ad_personalization', 'analytics_storage'];
  const denied = {};
  purposes.forEach((purpose) => (denied[purpose] = 'denied'));

  // A command is the `arguments` of gtag(): ['consent', 'default' or 'update', {purpose: …}].
  const deny = (item) => {
    const choice = item && item[0] === 'consent' ? item[2] : null;
    if (choice && typeof choice === 'object') {
      purposes.forEach((purpose) => {
        if (purpose in choice) choice[purpose] = 'denied';
      });
    }
    return item;
  };
  const command = function () {
    return arguments;
  };

  layer.forEach(deny);
  const starts = (item) =>
    item && (item.event === 'gtm.js' || ['js', 'config', 'event'].indexOf(item[0]) >= 0);
  const place = layer.findIndex(starts);
  layer.splice(place < 0 ? layer.length : place, 0,
    command('consent', 'default', denied), command('set', 'ads_data_redaction', true));

  // Tag Manager puts a `push` of its own in place of the page's and calls that one from it. So
  // each `push` that is set is wrapped once, and whoever asks for it is given the wrapped one.
  const denying = (push) => (...items) => push.apply(layer, items.map(deny));
  let outermost = denying(layer.push);
  Object.defineProperty(layer, 'push', {
    configurable: true,
    get: () => outermost,
    set: (push) => (outermost = denying(push)),
  });
})();
