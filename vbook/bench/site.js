// What `vbook bench site` runs before a page: how far its content moves while it loads, and when its plane answers.
window.vbookLoad = { shift: 0, widget: null };
{
  const watch = (type, then) => new PerformanceObserver((list) => list.getEntries().forEach(then)).observe({ type, buffered: true });
  watch("layout-shift", ({ value, hadRecentInput }) => { if (!hadRecentInput) vbookLoad.shift += value; });
  const look = () => {
    const canvas = document.querySelector("#latent-manifold.vw-on .vw-decoded");
    const painted = canvas && canvas.getContext("2d").getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data[3] > 0;
    if (painted) vbookLoad.widget = performance.now();
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}
