// A person without a mouse: everything here is done with keys, on what Tab leads to. See .ci/lab.cjs.

const TAB_STOPS = 400;
const QUICK = 'latency.test_runs: 1\nlatency.warmup_runs = 0\nlatency.input_lengths: [8, 16]\nlatency.output_lengths = [8]';
const focused = (page, selector) => page.evaluate((selector) => !!document.activeElement?.matches(selector), selector);

/// Presses Tab until the focus is on what is looked for; throws where no key leads there.
async function tab_to(page, selector) {
  for (let i = 0; i < TAB_STOPS; i += 1) {
    if (await focused(page, selector)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`${page.url()}: no key leads to ${selector}`);
}

/// Goes there and presses a key.
async function press(page, selector, with_key = 'Enter') {
  await tab_to(page, selector);
  await page.keyboard.press(with_key);
}

/// Goes there and writes in place of what is there; on a list of options that chooses.
async function write(page, selector, text) {
  await tab_to(page, selector);
  const is_list = await page.evaluate(() => document.activeElement.matches('select'));
  if (!is_list) {
    await page.keyboard.press('Control+A');
    await page.keyboard.press('Delete');
  }
  await page.keyboard.type(text);
}

/// Does it and waits for the page that it leads to.
async function leads(page, to, act) {
  await act();
  await page.waitForURL(to, { waitUntil: 'load', timeout: 20000 });
}

const shows = (page, words, timeout = 30000) =>
  page.waitForFunction((words) => document.querySelector('main').innerText.includes(words), words, { timeout });
const says = (page, words) =>
  page.waitForFunction((words) => document.getElementById('said').textContent.includes(words), words, { timeout: 20000 });

/// Tabs through a page: how many controls it has, and those that got no focus, or got it and did not show it.
async function reach(page) {
  const n = await page.evaluate(() => {
    document.activeElement?.blur();
    window.scrollTo(0, 0);
    const all = 'a[href], button, input, select, textarea, summary, [tabindex="0"]';
    const can = (one) => !one.disabled && one.type !== 'hidden' && one.checkVisibility({ visibilityProperty: true });
    window.controls = new Set([...document.querySelectorAll(all)].filter(can));
    window.unmarked = [];
    return window.controls.size;
  });
  for (let i = 0; i < n + 5; i += 1) {
    await page.keyboard.press('Tab');
    await page.evaluate(() => {
      const at = document.activeElement;
      if (window.controls.delete(at) && getComputedStyle(at).outlineStyle === 'none') window.unmarked.push(at);
    });
  }
  const missed = await page.evaluate(() => [...window.controls, ...window.unmarked].map((one) => one.outerHTML.slice(0, 100)));
  return { n, missed };
}

/// Every file that a list of links leads to: reached with Tab, and answered.
async function files(page, list, expect) {
  const links = await page.locator(list).evaluateAll((all) => all.map((one) => one.getAttribute('href')));
  expect(links.length > 3, `${page.url()}: ${links.length} files`);
  for (const link of links) {
    await tab_to(page, `a[href="${link}"]`);
    const answer = await page.request.get(new URL(link, page.url()).href);
    expect(answer.status() === 200 && (await answer.body()).length > 0, `${link}: status ${answer.status()}`);
  }
}

async function log_in(page, { url, key, expect }) {
  await page.goto(`${url}/jobs`);
  expect(page.url().includes('/login'), `walk: ${page.url()} asks for no key`);
  await write(page, '#login input', 'wrong');
  await page.keyboard.press('Enter');
  await says(page, 'does not know this key');
  await write(page, '#login input', key);
  await leads(page, `${url}/jobs`, () => press(page, '#login button'));
}

async function history(page, { url, expect }) {
  await leads(page, `${url}/`, () => press(page, 'nav.ways a[href="/"]'));
  const rows = () => page.locator('tbody tr').count();
  const all = await rows();
  await write(page, 'select[name=experiment]', 'throughput');
  await write(page, 'input[name=since]', '7d');
  await leads(page, /experiment=throughput&.*since=7d/, () => press(page, 'form.filter button'));
  expect((await rows()) > 1 && (await rows()) < all, `walk: ${await rows()} of ${all} runs are of throughput`);
  await tab_to(page, 'select[name=tag]');
  await write(page, 'input[name=model]', 'of no such name');
  await leads(page, /model=of/, () => page.keyboard.press('Enter'));
  await shows(page, 'No run passes');
  await leads(page, `${url}/`, () => press(page, 'form.filter a[href="/"]'));
  await leads(page, /\/runs\//, () => press(page, 'tbody tr:last-child a'));
  await files(page, 'nav[aria-label=Formats] a', expect);
  await write(page, 'main form input[name=id]', 'latest');
  await leads(page, /\/compare\?/, () => press(page, 'main form button'));
  await press(page, 'nav.ways a[href="/"]');
  await page.waitForURL(`${url}/`);
  await write(page, 'select[name=experiment]', 'throughput');
  await leads(page, /experiment=throughput/, () => press(page, 'form.filter button'));
  for (const i of [1, 2]) await press(page, `tbody tr:nth-child(${i}) input[type=checkbox]`, 'Space');
  await leads(page, /\/compare\?.*id=.*&id=/, () => press(page, 'form[action="/compare"] button'));
  expect((await page.locator('svg').count()) > 0, 'walk: a comparison without a picture');
  await page.goto(`${url}/compare`);
  await write(page, 'main label:nth-of-type(1) input', 'latest');
  await write(page, 'main label:nth-of-type(2) input', 'latest~1');
  await leads(page, /\/compare\?id=latest&id=latest/, () => press(page, 'main form button'));
}

async function trends(page, { url, expect }) {
  await leads(page, `${url}/trends`, () => press(page, 'nav.ways a[href="/trends"]'));
  await write(page, 'select[name=metric]', 'stability');
  const chosen = await page.locator('select[name=metric]').inputValue();
  expect(chosen === 'stability', `walk: the list of figures chose ${chosen}`);
  await tab_to(page, 'main form input[name=model]');
  await write(page, 'main form input[name=test]', 'tg');
  await tab_to(page, 'main form input[name=tag]');
  await write(page, 'main form input[name=since]', '7d');
  await write(page, 'main form input[name=n]', '20');
  await leads(page, /metric=stability&.*test=tg&.*n=20/, () => press(page, 'main form button'));
  expect((await page.locator('main svg').count()) > 0, 'walk: a trend without a picture');
  expect(!/\bpp\d/.test(await page.locator('main').innerText()), 'walk: a trend of other tests');
}

/// Asks for a job by the form; the page is then that of it.
async function start(page, { url }, name, settings) {
  await leads(page, `${url}/jobs`, () => press(page, 'nav.ways a[href="/jobs"]'));
  await tab_to(page, '#start select');
  await write(page, '#start input[name=name]', name);
  await write(page, '#start textarea', settings);
  await press(page, '#start button');
}

async function jobs(page, with_what) {
  const { url, expect, check } = with_what;
  // What is wrong with settings is said beside the form: by the page, and by the server.
  await start(page, with_what, 'short', 'latency.test_runs 1');
  await says(page, 'Settings, line 1');
  expect(await focused(page, '#start textarea'), 'walk: the focus is not on the settings that are wrong');
  await write(page, '#start textarea', 'latency.no_such = 1');
  await press(page, '#start button');
  await says(page, 'no_such');
  for (const test of ['memory', 'throughput']) await press(page, `#start input[value=${test}]`, 'Space');
  await press(page, '#start input[value=latency]', 'Space');
  await press(page, '#start button');
  await says(page, 'Choose one test');
  await press(page, '#start input[value=latency]', 'Space');
  await write(page, '#start textarea', QUICK);
  await leads(page, /\/jobs\/[0-9a-f]+/, () => press(page, '#start button'));
  const short = new URL(page.url()).pathname;
  await shows(page, 'latency.test_runs');
  await shows(page, 'completed', 300000);
  await check(page, 'walk: a job that is over', 1280);
  await files(page, '#results a', expect);

  await start(page, with_what, '<img src=x onerror="window.broken=1">', QUICK);
  await page.waitForURL(/\/jobs\/[0-9a-f]+/);
  const long = new URL(page.url()).pathname;
  await shows(page, 'running');
  await page.waitForFunction(() => document.getElementById('bar').value > 0, null, { timeout: 300000 });
  await check(page, 'walk: a job', 1280);
  await press(page, '#cancel');
  await shows(page, 'cancelled', 60000);
  await files(page, '#results a', expect);
  await leads(page, `${url}/jobs`, () => press(page, 'nav.ways a[href="/jobs"]'));
  await leads(page, url + short, () => press(page, `main table a[href="${short}"]`));
  return [short, long];
}

async function live(page, { url, expect }) {
  await leads(page, `${url}/live`, () => press(page, 'nav.ways a[href="/live"]'));
  await says(page, 'Read once a second');
  await press(page, '#pause', 'Space');
  await says(page, 'Paused');
  expect(await page.locator('#pause[aria-pressed=true]').count() === 1, 'walk: paused and not pressed');
  await press(page, '#pause', 'Space');
  await says(page, 'Read once a second');
}

async function chat(page, { url, folder, expect, check }) {
  await leads(page, `${url}/chat`, () => press(page, 'nav.ways a[href="/chat"]'));
  await write(page, '#chat input[name=most]', '24');
  await write(page, '#chat input[name=temperature]', '0');
  await write(page, '#text', 'Say <img src=x onerror="window.broken=1"> please.');
  await page.keyboard.press('Control+Enter');
  await shows(page, 'tokens/s');
  await page.waitForFunction(() => document.getElementById('stop').disabled);
  await check(page, 'walk: a chat', 1280);
  await page.screenshot({ path: `${folder}/lab-walk-chat.png`, fullPage: true });
  await write(page, '#chat input[name=most]', '700');
  await write(page, '#text', 'Write a long story.');
  await press(page, '#send');
  await page.waitForFunction(() => document.querySelectorAll('#talk .took')[3]?.textContent.includes('TTFT'), null, { timeout: 30000 });
  await press(page, '#stop');
  await shows(page, 'stopped');
  await press(page, '#clear');
  expect((await page.locator('#talk article').count()) === 0, 'walk: a new conversation has the old one');
}

/// Through all pages and forms; gives the ways to the jobs that were asked for.
async function walk(page, with_what) {
  const { url, expect } = with_what;
  await log_in(page, with_what);
  await press(page, '.skip');
  expect(await focused(page, 'main'), 'walk: the way past the links leads nowhere');
  await history(page, with_what);
  await trends(page, with_what);
  const asked_for = await jobs(page, with_what);
  await live(page, with_what);
  await chat(page, with_what);
  await leads(page, `${url}/login`, () => press(page, '#logout'));
  await page.goto(`${url}/`);
  expect(page.url().includes('/login'), `walk: after the log out ${page.url()} is shown`);
  return asked_for;
}

module.exports = { reach, walk };
