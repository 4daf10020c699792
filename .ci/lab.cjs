// Walks through a server's pages in Chromium, as a person would: see .ci/pages.
const { chromium } = require('playwright-core');
const { readFileSync } = require('fs');
const keyboard = require('./keyboard.cjs');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const [, , url, folder, key] = process.argv;
const failures = [];
const expect = (is, what) => { if (!is) failures.push(what); };

/// A page of a context that tells of everything that goes wrong in it.
async function watched(context, name, tolerated = []) {
  const page = await context.newPage();
  page.on('request', (request) => expect(request.url().startsWith(url), `${name}: fetched ${request.url()}`));
  page.on('console', (message) => {
    const is_known = tolerated.some((words) => message.text().includes(words));
    expect(message.type() !== 'error' || is_known, `${name}: ${message.text()}`);
  });
  page.on('pageerror', (error) => expect(false, `${name}: ${error}`));
  return page;
}

/// What every page is checked for.
async function check(page, name, width) {
  expect(await page.evaluate(() => window.broken === undefined), `${name}: markup from outside ran`);
  const wide = await page.evaluate(() => document.scrollingElement.scrollWidth);
  expect(wide <= width, `${name}: the page is ${wide} wide`);
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  for (const one of found.violations) {
    expect(false, `${name}: axe ${one.id}: ${one.help}: ${one.nodes.length} of ${one.nodes[0].html.slice(0, 120)}`);
  }
}

/// Every page at every width, in light and dark; with keys alone at both widths.
async function look(browser, pages) {
  for (const scheme of ['light', 'dark']) {
    for (const width of [1280, 390]) {
      const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme });
      await context.addCookies([{ name: 'pacemark_key', value: encodeURIComponent(key), url }]);
      for (const [name, path] of pages) {
        const title = `${name} ${scheme} ${width}`;
        const page = await watched(context, title, name === 'lost' ? ['404'] : []);
        const answer = await page.goto(url + path, { waitUntil: 'load' });
        expect(answer.status() === (name === 'lost' ? 404 : 200), `${title}: status ${answer.status()}`);
        if (name === 'live') await page.waitForTimeout(2500);
        await check(page, title, width);
        await page.screenshot({ path: `${folder}/lab-${name}-${scheme}-${width}.png`, fullPage: true });
        if (scheme === 'light') {
          const { n, missed } = await keyboard.reach(page);
          expect(n > 0 && missed.length === 0, `${title}: of ${n} controls no key leads to, or shows, ${missed.join('; ')}`);
        }
        await page.close();
      }
      await context.close();
    }
  }
}

(async () => {
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  const context = await browser.newContext();
  await context.addCookies([{ name: 'pacemark_key', value: encodeURIComponent(key), url }]);
  const page = await context.newPage();
  await page.goto(`${url}/`);
  const runs = await page.locator('tbody a[href^="/runs/"]').evaluateAll((all) => all.map((one) => one.getAttribute('href')));
  expect(runs.length >= 3, `a history of ${runs.length} runs`);
  const ids = runs.map((path) => path.split('/')[2]);
  await context.close();
  const person = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const walked = await watched(person, 'walk', ['401 (Unauthorized)', '400 (Bad Request)']);
  const jobs = await keyboard.walk(walked, { url, folder, key, expect, check }).catch((error) => {
    expect(false, `walk: at ${walked.url()}: ${error.stack}`);
    return [];
  });
  await person.close();
  const pages = [
    ['history', '/'], ['run', runs[0]], ['load', runs[1]], ['compare', `/compare?id=${ids[0]}&id=${ids[2]}`],
    ['choose', '/compare'], ['trends', '/trends?metric=avg_ts'], ['jobs', '/jobs'], ['live', '/live'],
    ['chat', '/chat'], ['login', '/login'], ['lost', '/runs/nothing'],
    ...jobs.map((path, i) => [`job${i + 1}`, path]),
  ];
  await look(browser, pages);
  await browser.close();
  failures.forEach((failure) => console.error(`FAILED: ${failure}`));
  console.log(`${pages.length} pages of a server, ${failures.length} failures`);
  process.exit(failures.length > 0 ? 1 : 0);
})();
