"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const canvas = document.getElementById("map"), pen = canvas.getContext("2d"), label = document.getElementById("name");
  const DOT = 4, NEAR = 14, LEAST = 22, MOST = 96;  // pixels: a dot's radius, around it, a thumbnail's longer side
  const points = data.points.map(([x, y, kind, name, source]) => ({ x, y, kind, name, source, image: null }));
  const hidden = new Set();
  let scale = 1, left = 0, top = 0, waiting = false;

  for (const point of points) {
    if (point.source) {
      const image = new Image();
      image.onload = () => { point.image = image; drawSoon(); };
      image.src = point.source;
    }
  }

  function base() { return Math.max(1, Math.min(canvas.clientWidth, canvas.clientHeight) - MOST); }
  function screen(point) { return [left + point.x * base() * scale, top + point.y * base() * scale]; }

  function home() {
    scale = 1;
    left = (canvas.clientWidth - base()) / 2;
    top = (canvas.clientHeight - base()) / 2;
    drawSoon();
  }

  function zoom(factor, x, y) {
    const next = Math.min(1e4, Math.max(0.2, scale * factor));
    left = x - (x - left) * next / scale;
    top = y - (y - top) * next / scale;
    scale = next;
    drawSoon();
  }

  function drawSoon() {
    if (!waiting) { waiting = true; requestAnimationFrame(draw); }
  }

  function draw() {
    waiting = false;
    const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const side = Math.min(MOST, LEAST * Math.sqrt(scale));
    for (const point of points) {
      const [x, y] = screen(point);
      if (hidden.has(point.kind) || x < -MOST || y < -MOST || x > width + MOST || y > height + MOST) continue;
      pen.fillStyle = data.kinds[point.kind][1];
      if (point.image) {
        const shrink = side / Math.max(point.image.width, point.image.height);
        const wide = point.image.width * shrink, high = point.image.height * shrink;
        pen.fillRect(x - wide / 2 - 2, y - high / 2 - 2, wide + 4, high + 4);
        pen.drawImage(point.image, x - wide / 2, y - high / 2, wide, high);
      } else {
        pen.beginPath();
        pen.arc(x, y, DOT, 0, 2 * Math.PI);
        pen.fill();
      }
    }
  }

  function tell(event) {
    let best = null, least = NEAR * NEAR;
    for (const point of points) {
      if (hidden.has(point.kind)) continue;
      const [x, y] = screen(point), apart = (x - event.offsetX) ** 2 + (y - event.offsetY) ** 2;
      if (apart <= least) { best = point; least = apart; }
    }
    label.textContent = best ? best.name + (data.kinds[best.kind][0] ? ` (${data.kinds[best.kind][0]})` : "") : "";
  }

  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), event.offsetX, event.offsetY);
  }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener("pointermove", (event) => {
    if (event.buttons) { left += event.movementX; top += event.movementY; drawSoon(); } else { tell(event); }
  });
  canvas.addEventListener("dblclick", home);
  canvas.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] };
    const x = canvas.clientWidth / 2, y = canvas.clientHeight / 2;
    if (event.key in steps) { left += steps[event.key][0]; top += steps[event.key][1]; drawSoon(); }
    else if (event.key === "+" || event.key === "=") zoom(1.3, x, y);
    else if (event.key === "-") zoom(1 / 1.3, x, y);
    else if (event.key === "0") home();
    else return;
    event.preventDefault();
  });
  window.addEventListener("resize", drawSoon);

  const list = document.getElementById("kinds");
  data.kinds.forEach(([name, colour], kind) => {
    if (!points.some((point) => point.kind === kind)) return;
    const item = document.createElement("li"), button = document.createElement("button");
    const mark = document.createElement("i");
    mark.style.background = colour;
    button.append(mark, name || "in no group");
    button.addEventListener("click", () => {
      if (!hidden.delete(kind)) hidden.add(kind);
      button.classList.toggle("off", hidden.has(kind));
      drawSoon();
    });
    item.append(button);
    list.append(item);
  });
  home();
})();
