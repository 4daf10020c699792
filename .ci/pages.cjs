// Opens reports in Chromium and checks what only a browser can: see .ci/pages.
const { chromium } = require('playwright-core');
const { readFileSync } = require('fs');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const folder = process.argv[2];
const failures = [];
const expect = (is, what) => { if (!is) failures.push(what); };

async function look(browser, lang, scheme, width) {
  const name = `${lang} ${scheme} ${width}`;
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme });
  const page = await context.newPage();
  const file = `file://${folder}/${lang}/report.html`;
  page.on('request', (request) => expect(request.url() === file, `${name}: fetched ${request.url()}`));
  page.on('console', (message) => expect(message.type() !== 'error', `${name}: ${message.text()}`));
  page.on('pageerror', (error) => expect(false, `${name}: ${error}`));
  await page.goto(file);
  expect(await page.evaluate(() => window.broken === undefined), `${name}: markup from outside ran`);
  const wide = await page.evaluate(() => document.scrollingElement.scrollWidth);
  expect(wide <= width, `${name}: the page is ${wide} wide`);
  expect((await page.locator('figure svg').count()) >= 6, `${name}: there are few pictures`);
  const h1 = await page.locator('h1').textContent();
  expect(h1.includes('<script>') && h1.includes('"quoted"'), `${name}: the title is ${h1}`);
  // A table behind each picture opens by keyboard.
  await page.locator('summary').first().focus();
  await page.keyboard.press('Enter');
  expect(await page.locator('details').first().evaluate((one) => one.open), `${name}: a key opens nothing`);
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  for (const one of found.violations) {
    expect(false, `${name}: axe ${one.id}: ${one.help}: ${one.nodes.length} of ${one.nodes[0].html.slice(0, 120)}: ${one.nodes[0].failureSummary}`);
  }
  await page.screenshot({ path: `${folder}/${lang}-${scheme}-${width}.png`, fullPage: true });
  if (scheme === 'light' && width === 1280) {
    // Paper cannot be moved: A4 between its margins.
    const paper = Math.floor((210 - 2 * 12) / 25.4 * 96);
    await page.emulateMedia({ media: 'print' });
    await page.setViewportSize({ width: paper, height: 900 });
    const cut = await page.evaluate((paper) => [...document.querySelectorAll('table, figure svg, p, li, dd')]
      .map((one) => [one.getBoundingClientRect().right, one.outerHTML.slice(0, 120)])
      .filter(([right]) => right > paper + 1), paper);
    for (const [right, what] of cut) expect(false, `${name}: on paper ${right} of ${paper} wide: ${what}`);
    await page.emulateMedia({ media: null });
    await page.setViewportSize({ width, height: 900 });
    const pdf = await page.pdf({ path: `${folder}/${lang}.pdf`, format: 'A4', printBackground: true });
    expect(pdf.length > 20000, `${name}: an empty PDF`);
  }
  await context.close();
}

(async () => {
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  for (const lang of ['en', 'zh']) {
    for (const scheme of ['light', 'dark']) {
      for (const width of [1280, 390]) await look(browser, lang, scheme, width);
    }
  }
  await browser.close();
  failures.forEach((failure) => console.error(`FAILED: ${failure}`));
  console.log(`8 pages, ${failures.length} failures`);
  process.exit(failures.length > 0 ? 1 : 0);
})();
