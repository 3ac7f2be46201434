// What `vbook bench widgets` runs in its page: times in milliseconds, by the page's own clock.
window.vbookBench = (() => {
  const plane = () => document.querySelector(".vw-plane"), decoded = () => document.querySelector(".vw-decoded");
  const frame = () => new Promise(requestAnimationFrame);
  /** After the work of the frame that is being made: its pixels are handed over. */
  const handedOver = (then) => requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => { port1.close(); then(); };
    port2.postMessage(0);
  });
  const times = [];
  addEventListener("pointermove", ({ timeStamp }) => handedOver(() => times.push(performance.now() - timeStamp)), { capture: true });

  return {
    /** A decoding each, from `rounds` rounds of `each`; the first round warms up and isn't counted. */
    decode(runtime, spec, weights, rounds, each = 20) {
      const { network, bytesOf } = new Function(`${runtime}\nreturn { network, bytesOf };`)(), found = [];
      const run = network(spec, bytesOf(weights));
      for (let round = 0; round <= rounds; round++) {
        const start = performance.now();
        for (let k = 0; k < each; k++) run([round / rounds - 0.5, k / each - 0.5]);
        if (round) found.push((performance.now() - start) / each);
      }
      return found;
    },
    /** What the page shows of the decoded picture. */
    picture: () => decoded().toDataURL(),
    /** From each move of the pointer since the last call to the end of its frame. */
    moves: () => times.splice(0),
    /** From a press on `words` to the plane's last row, painted, and the longest time for which nothing else could run. */
    async tiles(words) {
      const strip = () => {
        const { width, height } = plane(), ctx = plane().getContext("2d"); // the row above the axis: 404/460 is the box's end
        return ctx.getImageData(0.2 * width, 0.84 * height, 0.7 * width, 0.02 * height).data.join();
      };
      const press = [...document.querySelectorAll(".vw-choice label")].find((one) => one.textContent === words);
      let last = performance.now(), block = 0, over = false;
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        const now = performance.now();
        block = Math.max(block, now - last);
        last = now;
        if (over) port1.close(); else port2.postMessage(0);
      };
      await frame();
      const start = last = performance.now();
      press.click();
      port2.postMessage(0);
      await frame();
      await frame(); // now the plane is without its points
      const empty = strip();
      while (strip() === empty) await frame();
      await new Promise(handedOver);
      over = true;
      return { manifold: performance.now() - start, block };
    },
  };
})();
