// A stand-in for analytics.js: it identifies, reports, calls back, and heeds the opt-outs the real
// one heeds.
(() => {
  const name = window.GoogleAnalyticsObject || 'ga';
  const waiting = (window[name] && window[name].q) || [];
  let property = '';
  const optedOut = () =>
    (window._gaUserPrefs && window._gaUserPrefs.ioo && window._gaUserPrefs.ioo()) ||
    window[`ga-disable-${property}`] === true ||
    /(?:^|; )AMP_TOKEN=%24OPT_OUT/.test(document.cookie) ||
    document.getElementById('__gaOptOutExtension') !== null;
  const id = (cookie, value) => {
    const found = new RegExp(`(?:^|; )${cookie}=([^;]*)`).exec(document.cookie);
    if (!found) document.cookie = `${cookie}=${value}; Path=/; Max-Age=63072000`;
    return found ? found[1] : value;
  };
  const send = (fields) => {
    if (!optedOut()) {
      const query = `v=1&t=${fields.type}&tid=${property}&cid=${id('_ga', 'GA1.1.111.222')}` +
        `&_gid=${id('_gid', 'GA1.2.111.222')}&jid=111.222&dl=${encodeURIComponent(location.href)}`;
      navigator.sendBeacon(`https://www.google-analytics.com/j/collect?${query}`);
      fetch(`https://stats.g.doubleclick.net/j/collect?${query}`,
        { method: 'POST', mode: 'no-cors', credentials: 'include', keepalive: true });
      new Image().src = `https://www.google.com/ads/ga-audiences?${query}`;
    }
    if (fields.hitCallback) setTimeout(fields.hitCallback, 10);
  };
  const ga = (command, ...rest) => {
    if (typeof command === 'function') return command({ get: () => '111.222' });
    if (command === 'create') property = rest[0];
    const hide = (window.dataLayer || {}).hide;
    if (command === 'require' && hide && hide[rest[0]] && hide.end) hide.end();
    if (command === 'send') send({ type: rest[0], ...rest.filter((one) => typeof one === 'object')[0] });
    return undefined;
  };
  ga.getAll = () => [{ get: () => '111.222' }];
  ga.loaded = true;
  window[name] = ga;
  waiting.forEach((one) => ga(...one));
})();
