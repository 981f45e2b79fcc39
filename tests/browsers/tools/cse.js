// A stand-in for Google's search element: every key goes to Google while it is typed.
(() => {
  const ask = (url) => {
    const script = document.createElement('script');
    script.src = url;
    document.head.appendChild(script);
  };
  const box = {
    suggest: (text) => ask('https://clients1.google.com/complete/search' +
      `?client=partner-web&cx=0123456789:abcde&q=${encodeURIComponent(text)}`),
    execute: (text) => ask('https://cse.google.com/cse/element/v1?cx=0123456789:abcde' +
      `&gs_l=partner-web.111.222&q=${encodeURIComponent(text)}&callback=google.search.cse.found`),
  };
  window.google = window.google || {};
  window.google.search = { cse: {
    element: { render: () => box, getElement: () => box, go() {} },
    found(said) {
      document.getElementById('results').textContent = said.results.join(', ');
    },
  } };
  const told = window.__gcse || {};
  if (told.callback) told.callback();
})();
