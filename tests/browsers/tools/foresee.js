// A stand-in for ForeSee's gateway: a stored id, a recorder, an invitation, and events.
(() => {
  document.cookie = '_4c_=%7B%22_4c_mc_%22%3A%22111.222%22%7D; Path=/; Max-Age=7776000';
  ['fs.trigger.js', 'fs.record.js'].forEach((name) => {
    const script = document.createElement('script');
    script.src = `https://gateway.foresee.com/code/19.15.3/${name}`;
    document.head.appendChild(script);
  });
  navigator.sendBeacon('https://analytics.foresee.com/ingest/events',
    JSON.stringify({ visitor: '111.222', event: 'pageview' }));
  (window.__fsReady_stk__ || []).splice(0).forEach((one) => [...one].forEach((done) => done()));
  window.fsReady = (done) => done();
})();
