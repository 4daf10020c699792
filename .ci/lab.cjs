// Walks through a server's pages in Chromium, as a person would: see .ci/pages.
const { chromium } = require('playwright-core');
const { readFileSync } = require('fs');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const [, , url, folder, key] = process.argv;
const failures = [];
const expect = (is, what) => { if (!is) failures.push(what); };
const TAB_STOPS = 60;

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

/// Presses Tab until the focus is on what is looked for.
async function tab_to(page, selector) {
  for (let i = 0; i < TAB_STOPS; i += 1) {
    if (await page.evaluate((selector) => document.activeElement?.matches(selector), selector)) return true;
    await page.keyboard.press('Tab');
  }
  expect(false, `${page.url()}: no key leads to ${selector}`);
  return false;
}

/// Every page at every width, in light and dark.
async function look(browser, pages) {
  for (const scheme of ['light', 'dark']) {
    for (const width of [1280, 390]) {
      const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme });
      await context.addCookies([{ name: 'pacemark_key', value: encodeURIComponent(key), url }]);
      for (const [name, path] of pages) {
        const page = await watched(context, `${name} ${scheme} ${width}`);
        await page.goto(url + path, { waitUntil: 'load' });
        if (name === 'live') await page.waitForTimeout(2500);
        await check(page, `${name} ${scheme} ${width}`, width);
        await page.screenshot({ path: `${folder}/lab-${name}-${scheme}-${width}.png`, fullPage: true });
        await page.close();
      }
      await context.close();
    }
  }
}

/// A person without a mouse: gives the key, filters, compares, asks for a job and cancels it, and chats.
async function walk(browser) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await watched(context, 'walk', ['401 (Unauthorized)']);
  await page.goto(`${url}/jobs`);
  expect(page.url().includes('/login'), `walk: ${page.url()} asks for no key`);
  for (const given of ['wrong', key]) {
    await tab_to(page, 'input');
    await page.keyboard.press('Control+A');
    await page.keyboard.type(given);
    await page.keyboard.press('Enter');
    await page.waitForTimeout(800);
  }
  expect(page.url() === `${url}/jobs`, `walk: after the key ${page.url()}`);

  await page.goto(`${url}/?experiment=throughput`);
  for (let i = 0; i < 2; i += 1) {
    await tab_to(page, `tbody tr:nth-child(${i + 1}) input[type=checkbox]`);
    await page.keyboard.press('Space');
  }
  await page.goto(`${url}/?experiment=throughput`);
  for (let i = 0; i < 2; i += 1) await page.locator('tbody input[type=checkbox]').nth(i).check();
  await page.getByRole('button', { name: /compare/i }).press('Enter');
  await page.waitForLoadState();
  expect(page.url().includes('/compare?'), `walk: comparing led to ${page.url()}`);
  expect((await page.locator('svg').count()) > 0, 'walk: a comparison without a picture');

  await page.goto(`${url}/jobs`);
  await page.locator('#start input[name=name]').fill('<img src=x onerror="window.broken=1">');
  await page.locator('#start button').press('Enter');
  await page.waitForURL(/\/jobs\/[0-9a-f]+/);
  await page.waitForFunction(() => document.querySelector('main').innerText.includes('running'), null, { timeout: 20000 });
  await check(page, 'walk: a job', 1280);
  await page.locator('#cancel').press('Enter');
  await page.waitForFunction(() => document.querySelector('main').innerText.includes('cancelled'), null, { timeout: 60000 });

  await page.goto(`${url}/chat`);
  await page.locator('textarea').fill('Say <img src=x onerror="window.broken=1"> please.');
  await page.locator('textarea').press('Control+Enter');
  await page.waitForFunction(() => /tokens\/s/.test(document.querySelector('main').innerText), null, { timeout: 30000 });
  await check(page, 'walk: a chat', 1280);
  await page.screenshot({ path: `${folder}/lab-walk-chat.png`, fullPage: true });
  await context.close();
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
  const pages = [
    ['history', '/'], ['run', runs[0]], ['load', runs[1]], ['compare', `/compare?id=${ids[0]}&id=${ids[2]}`],
    ['trends', '/trends?metric=avg_ts'], ['jobs', '/jobs'], ['live', '/live'], ['chat', '/chat'], ['login', '/login'],
  ];
  await walk(browser);
  await look(browser, pages);
  await browser.close();
  failures.forEach((failure) => console.error(`FAILED: ${failure}`));
  console.log(`${pages.length} pages of a server, ${failures.length} failures`);
  process.exit(failures.length > 0 ? 1 : 0);
})();
