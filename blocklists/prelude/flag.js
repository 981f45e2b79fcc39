// Stands right before the script that names an id: sets the opt-out flags that name it too.
(flags) => {
  'use strict';

  try {
    document.currentScript.remove();
    Object.keys(flags).forEach((name) => {
      Object.defineProperty(window, name, {
        get: () => flags[name], set: () => undefined, enumerable: true, configurable: true,
      });
    });
  } catch (error) {
    // The page goes on without.
  }
}
