// A page just real enough for a surrogate: a window with its own globals, a clock that only
// `settle` moves, and a record of what was sent, printed, opened and thrown.
import vm from 'node:vm';

class Element {
  constructor(tag, attributes = {}) {
    this.tagName = tag;
    this.className = '';
    this.children = [];
    Object.assign(this, attributes);
  }
  get firstChild() {
    return this.children[0] ?? null;
  }
  appendChild(child) {
    this.children.push(child);
    return child;
  }
}

class Place {
  constructor(href, visited) {
    this.url = new URL(href);
    this.visited = visited;
  }
  get href() {
    return this.url.href;
  }
  set href(target) {
    this.visited.push(String(target));
  }
  get hostname() {
    return this.url.hostname;
  }
  get search() {
    return this.url.search;
  }
  assign(target) {
    this.visited.push(String(target));
  }
}

export class Page {
  // `source(name)` gives the text of a surrogate; `times` is how often each is loaded in a row.
  constructor(source, times = 1) {
    this.source = source;
    this.times = times;
    this.sent = [];
    this.printed = [];
    this.visited = [];
    this.opened = [];
    this.errors = [];
    this.timers = [];
    this.places = [];
    this.listeners = {};
    this.window = this.#window();
    vm.createContext(this.window);
    this.global = vm.runInContext('globalThis', this.window);
  }

  #window() {
    const send = (what) =>
      function (...args) {
        this?.constructor; // callable with and without `new`
        page.sent.push([what, ...args]);
        return {};
      };
    const page = this;
    const print = (...args) => this.printed.push(args);
    const window = {
      console: { log: print, info: print, warn: print, error: print, debug: print },
      setTimeout: (callback, delay, ...args) => this.timers.push([callback, args]),
      clearTimeout() {},
      location: new Place('https://www.mass.gov/search?q=fishing+licence', this.visited),
      open: (url) => void this.opened.push(url),
      navigator: { sendBeacon: send('sendBeacon') },
      fetch: send('fetch'),
      XMLHttpRequest: send('XMLHttpRequest'),
      WebSocket: send('WebSocket'),
      EventSource: send('EventSource'),
      Image: send('Image'),
    };
    window.document = {
      currentScript: null,
      readyState: 'complete',
      cookie: '',
      documentElement: new Element('html'),
      location: window.location,
      createElement: (tag) => new Element(tag),
      addEventListener: (event, listener) => (this.listeners[event] = listener),
      querySelectorAll: () => this.places,
      getElementById: (id) => this.places.find((place) => place.id === id) ?? null,
    };
    window.window = window.self = window.top = window;
    return window;
  }

  place(attributes) {
    const element = new Element('div', attributes);
    this.places.push(element);
    return element;
  }

  run(code) {
    return vm.runInContext(code, this.window);
  }

  // As the browser does: errors while loading end the script, not the page.
  load(name, src = '') {
    for (let time = 0; time < this.times; time += 1) {
      this.window.document.currentScript = { src };
      this.#guarded(() => vm.runInContext(this.source(name), this.window, { filename: name }));
      this.window.document.currentScript = null;
    }
  }

  // Lets timers and promises run out.
  async settle() {
    for (let round = 0; round < 50; round += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      if (!this.timers.length) return;
      for (const [callback, args] of this.timers.splice(0)) {
        this.#guarded(() => callback(...args));
      }
    }
    throw new Error('the page never comes to rest');
  }

  #guarded(action) {
    try {
      action();
    } catch (error) {
      this.errors.push(error);
    }
  }
}

// A callback that knows how often, and with what, it was called.
export const spy = (action = () => undefined) => {
  const spied = function (...args) {
    spied.calls.push(args);
    return action.apply(this, args);
  };
  spied.calls = [];
  return spied;
};
