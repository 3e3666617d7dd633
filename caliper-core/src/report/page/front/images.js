// Images that tests left, beside those of the baseline, and where they differ.

const imageTypes = ["image/png", "image/svg+xml", "image/jpeg"];

// As an <img> an SVG runs no script and loads nothing, and the policy of the page forbids both besides.
async function imageOf(number) {
  const value = await content(number);
  if (!value || !imageTypes.includes(value.type)) return null;
  const image = new Image();
  image.src = `data:${value.type};base64,${value.base64}`;
  try {
    await image.decode();
  } catch {
    return null;
  }
  return image;
}

function pixels(image, width, height) {
  const canvas = make("canvas", { width, height }),
    canvasContext = canvas.getContext("2d", { willReadFrequently: true });
  canvasContext.fillStyle = "#fff";
  canvasContext.fillRect(0, 0, width, height);
  canvasContext.drawImage(image, 0, 0);
  return canvasContext.getImageData(0, 0, width, height);
}

// The image of here in pale grey, with the pixels that differ in vermilion.
function imageDifference(here, there) {
  const size = (image) => [image.naturalWidth || 300, image.naturalHeight || 150];
  const [width, height] = size(here).map((each, index) => Math.min(4096, Math.max(each, size(there)[index])));
  const one = pixels(there, width, height),
    other = pixels(here, width, height);
  const canvas = make("canvas", { width, height, role: "img" }),
    out = new ImageData(width, height);
  let different = 0,
    most = 0;
  for (let at = 0; at < other.data.length; at += 4) {
    const apart = Math.max(
      Math.abs(one.data[at] - other.data[at]),
      Math.abs(one.data[at + 1] - other.data[at + 1]),
      Math.abs(one.data[at + 2] - other.data[at + 2]),
    );
    const grey = 200 + ((other.data[at] * 0.3 + other.data[at + 1] * 0.59 + other.data[at + 2] * 0.11) * 55) / 255;
    if (apart) {
      different++;
      most = Math.max(most, apart);
    }
    const colour = apart ? [200 - apart / 8, 70, 0] : [grey, grey, grey];
    out.data.set([...colour, 255], at);
  }
  canvas.getContext("2d").putImageData(out, 0, 0);
  const share = (different / (width * height)) * 100;
  const sizes =
    size(here).join(" × ") === size(there).join(" × ")
      ? ""
      : ` The sizes differ: ${size(there).join(" × ")} and ${size(here).join(" × ")}.`;
  const said = different
    ? `${count(different, "pixel")} of ${(width * height).toLocaleString("en")} (${short(share)} %) ${different === 1 ? "differs" : "differ"}, by up to ${most} of 255.`
    : "All pixels are equal.";
  canvas.setAttribute("aria-label", said);
  return { canvas, said: said + sizes };
}

async function imagePair(path, here, there) {
  const [mine, theirs] = [await imageOf(here), there === null || there === undefined ? null : await imageOf(there)];
  const figure = (image, caption) => {
    if (image) image.alt = `${line(path)}, ${caption}`;
    return make(
      "figure",
      {},
      image || make("p", { class: "note" }, "This image cannot be shown."),
      make("figcaption", {}, caption),
    );
  };
  const figures = [figure(mine, "here")];
  if (there !== null && there !== undefined) figures.unshift(figure(theirs, "baseline"));
  if (mine && theirs) {
    try {
      const { canvas, said } = imageDifference(mine, theirs);
      figures.push(make("figure", {}, canvas, make("figcaption", {}, `difference: ${said}`)));
    } catch {
      figures.push(make("figure", {}, make("figcaption", {}, "This browser does not let the pixels be compared.")));
    }
  }
  return make("div", { class: "images" }, figures);
}
