// A stand-in for gtag/js and gtm.js: one file for three tools, told apart by the id it was asked
// for by. It reads the data layer from its start, heeds consent as it finds it, and takes over
// `push` as the real one does.
(() => {
  const source = new URL(document.currentScript.src);
  const id = source.searchParams.get('id');
  const layer = (window.dataLayer = window.dataLayer || []);
  const consent = {};
  const denied = (purpose) => consent[purpose] === 'denied';
  const cookie = (name, value, purpose) => {
    const found = new RegExp(`(?:^|; )${name}=([^;]*)`).exec(document.cookie);
    if (denied(purpose)) return '';
    if (!found) document.cookie = `${name}=${value}; Path=/; Max-Age=63072000`;
    return found ? found[1] : value;
  };
  const optedOut = () =>
    (window._gaUserPrefs && window._gaUserPrefs.ioo && window._gaUserPrefs.ioo()) ||
    window[`ga-disable-${id}`] === true ||
    /(?:^|; )AMP_TOKEN=%24OPT_OUT/.test(document.cookie) ||
    document.getElementById('__gaOptOutExtension') !== null;
  const gcs = () => `G1${denied('ad_storage') ? 0 : 1}${denied('analytics_storage') ? 0 : 1}`;
  const page = `dl=${encodeURIComponent(location.href)}`;
  const image = (url) => (new Image().src = url);
  const analytics = (event) => {
    if (optedOut()) return;
    const who = cookie('_ga', 'GA1.1.111.222', 'analytics_storage');
    cookie('_ga_ABCDE12345', 'GS1.1.111.222', 'analytics_storage');
    navigator.sendBeacon('https://region1.google-analytics.com/g/collect' +
      `?v=2&tid=${id}&gcs=${gcs()}&cid=${who || 'anonymous'}&en=${event}&${page}`);
  };
  const adwords = (event) => {
    const number = id.slice(3);
    const who = cookie('_gcl_au', '1.1.111.222', 'ad_storage');
    const query = `random=1&gcs=${gcs()}&auid=${who}&en=${event}&url=${encodeURIComponent(location.href)}`;
    image(`https://googleads.g.doubleclick.net/pagead/viewthroughconversion/${number}/?${query}`);
    image(`https://www.google.com/pagead/1p-user-list/${number}/?${query}`);
  };
  const container = (event) => {
    image(`https://www.googletagmanager.com/a?id=${id}&cv=12&v=t&n=${event}`);
  };
  const hit = id.startsWith('AW-') ? adwords : id.startsWith('GTM-') ? container : analytics;
  const take = (item) => {
    if (item[0] === 'consent') Object.assign(consent, item[2]);
    if (item[0] === 'config' && item[1] === id) hit('page_view');
    if (item.event === 'gtm.js' && id.startsWith('GTM-')) hit('gtm.js');
    if (item[0] === 'event') {
      const where = (item[2] || {}).send_to || '';
      if (!where || where.startsWith(id)) {
        hit(item[1]);
        if ((item[2] || {}).event_callback) setTimeout(item[2].event_callback, 10);
      }
    }
    if (item.eventCallback && id.startsWith('GTM-')) setTimeout(item.eventCallback, 10);
  };
  layer.slice().forEach(take);
  const push = layer.push;
  layer.push = (...items) => {
    const length = push.apply(layer, items);
    items.forEach(take);
    return length;
  };
  (window.google_tag_manager = window.google_tag_manager || {})[id] = {};
  window.consentSeen = window.consentSeen || {};
  window.consentSeen[id] = () => ({ ...consent });
  image(`https://www.googletagmanager.com/td?id=${id}&v=3&t=t&${page}`);
})();
