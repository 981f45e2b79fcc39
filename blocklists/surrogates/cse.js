// Stands in for https://cse.google.com/cse.js (Programmable Search Engine, once Custom Search).
// API: https://developers.google.com/custom-search/docs/element
// Breakage: a page whose only search is this one would have an empty place; it gets a plain link to
// the same search at Google. `__gcse.callback` is never called: on mass.gov it would start the
// autocompletion that sends what is typed, key by key; without it the form works by itself.
(() => {
  'use strict';

  const google = (window.google = window.google || {});
  google.search = google.search || {};
  google.search.cse = google.search.cse || {};
  if (google.search.cse.element) return;

  const kinds = ['search', 'searchbox', 'searchbox-only', 'searchresults', 'searchresults-only'];
  const links = [];
  const address = (query) =>
    'https://www.google.com/search?q=' +
    encodeURIComponent((query ? query + ' ' : '') + 'site:' + window.location.hostname);

  // The words a results page was opened with.
  const words = () => {
    const found = /[?&]q=([^&]*)/.exec(window.location.search || '');
    const raw = found ? found[1].replace(/\+/g, ' ') : '';
    try {
      return decodeURIComponent(raw);
    } catch (error) {
      return raw;
    }
  };

  const point = (query) => links.forEach((link) => (link.href = address(query)));
  const offer = (place) => {
    if (!place || typeof place.appendChild !== 'function' || place.firstChild) return;
    const link = document.createElement('a');
    link.href = address(words());
    link.rel = 'noreferrer';
    link.textContent = 'Search this site with Google';
    link.title = 'You opted out of the Google search box.';
    links.push(link);
    place.appendChild(link);
  };

  const elements = {};
  const element = (name) => {
    elements[name] = elements[name] || {
      gname: name,
      type: 'search',
      uiOptions: {},
      execute: point,
      prefillQuery() {},
      getInputQuery: () => '',
      clearAllResults: () => point(''),
    };
    return elements[name];
  };
  const render = (component) => {
    const asked = component || {};
    offer(typeof asked.div === 'string' ? document.getElementById(asked.div) : asked.div);
    return element(asked.gname || asked.div);
  };
  const go = () => {
    const names = kinds.map((kind) => '.gcse-' + kind + ', gcse\\:' + kind).join(', ');
    Array.from(document.querySelectorAll(names)).forEach(offer);
  };
  google.search.cse.element = { render, go, getElement: element, getAllElements: () => elements };

  if ((window.__gcse || {}).parsetags === 'explicit') return;
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', go);
  else go();
})();
