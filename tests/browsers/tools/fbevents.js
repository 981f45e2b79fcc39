// A stand-in for fbevents.js: a first-party id, and a hit that carries it and Facebook's cookies.
(() => {
  const found = () => /(?:^|; )_fbp=([^;]*)/.exec(document.cookie);
  const n = window.fbq;
  let pixel = '';
  n.callMethod = (command, first) => {
    if (command === 'init') {
      pixel = first;
      if (!found()) document.cookie = '_fbp=fb.1.111.222; Path=/; Max-Age=7776000';
      localStorage.lastExternalReferrer = 'empty.111.222';
      const script = document.createElement('script');
      script.src = `https://connect.facebook.net/signals/config/${pixel}?v=2.9.1&r=stable`;
      document.head.appendChild(script);
    }
    if (command === 'track') {
      new Image().src = `https://www.facebook.com/tr/?id=${pixel}&ev=${first}` +
        `&dl=${encodeURIComponent(location.href)}&fbp=${(found() || [])[1] || ''}`;
    }
  };
  n.queue.splice(0).forEach((one) => n.callMethod(...one));
})();
