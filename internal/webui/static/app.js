// What pages can't do by themselves: stay current, show values under a pointer, choose a time on a chart,
// count times on, take dropped files. Without it every page still works.
'use strict';

document.documentElement.classList.add('js');
const lang = document.documentElement.lang;

// Charts are drawn by the server, which learns here what the clock of their viewer shows.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone) document.cookie = `iacontinu_zone=${zone}; path=/; max-age=31536000; SameSite=Strict` + (location.protocol === 'https:' ? '; Secure' : '');

// Times: how long ago, and moments in the time zone of this browser.
const relative = new Intl.RelativeTimeFormat(lang, {numeric: 'auto', style: 'long'});
const absolute = new Intl.DateTimeFormat(lang, {dateStyle: 'medium', timeStyle: 'short'});
const units = [['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]];

function tellTimes(root) {
  for (const element of root.querySelectorAll('time')) {
    const at = new Date(element.dateTime);
    const due = element.dataset.due !== undefined, apart = Math.round((at - Date.now()) / 1000);
    const seconds = due ? Math.max(0, apart) : Math.min(0, apart);
    let text = absolute.format(at);
    if ((due || element.dataset.ago !== undefined) && Math.abs(seconds) < 30 * 86400) {
      const [unit, length] = units.find(([, length]) => Math.abs(seconds) >= length) || units[3];
      text = relative.format(Math.trunc(seconds / length), unit);
    }
    if (element.textContent !== text) element.textContent = text;
    element.title = absolute.format(at);
  }
}
tellTimes(document);
document.querySelector('nav [aria-current]')?.scrollIntoView({inline: 'center', block: 'nearest'}); // of a row that is longer than a phone
setInterval(() => tellTimes(document), 1000);

// Parts of the page that changed take the place of the old ones, unless someone is at work in those: then
// they wait.
const waiting = new Map();

function busy(element) {
  const active = document.activeElement;
  return element.contains(active) && active.matches('input, textarea, select') || element.querySelector(':popover-open') !== null;
}

function put(id) {
  const fresh = waiting.get(id), old = document.getElementById(id);
  if (!fresh || !old || busy(old)) return;
  waiting.delete(id);
  if (id === 'banner' && 'down' in old.dataset && !('down' in fresh.dataset) && document.querySelector('main > .empty')) {
    location.reload(); // the page was opened while there was nothing to show
    return;
  }
  const keyOf = (e, i) => e.id || i;
  const open = new Set([...old.querySelectorAll('details')].map((e, i) => e.open ? keyOf(e, i) : null));
  const scrolled = [...old.querySelectorAll('.scroll')].map(e => [e.scrollLeft, e.scrollTop]);
  const within = root => [...root.querySelectorAll('a, button, summary, [tabindex]')];
  const nameOf = e => e.tagName + (e.getAttribute('href') ?? e.getAttribute('popovertarget') ?? e.textContent);
  const at = within(old).indexOf(document.activeElement), focused = within(old)[at];
  old.replaceWith(fresh);
  fresh.querySelectorAll('details').forEach((e, i) => { e.open = e.open || open.has(keyOf(e, i)); });
  fresh.querySelectorAll('.scroll').forEach((e, i) => { if (scrolled[i]) [e.scrollLeft, e.scrollTop] = scrolled[i]; });
  if (focused) (within(fresh).find(e => nameOf(e) === nameOf(focused)) ?? within(fresh)[at])?.focus({preventScroll: true}); // rows may have come before it
  tellTimes(fresh);
}
const putAll = () => setTimeout(() => waiting.forEach((_, id) => put(id)));
document.addEventListener('focusout', putAll);
document.addEventListener('toggle', putAll, true); // a question was closed: its part stayed as it was while it was open

// A browser has few connections to one server: a page that nobody sees gives its own back.
let stream = null;
const ended = document.getElementById('ended'), offline = document.getElementById('offline'), full = document.getElementById('full');

// Whether somebody has filled in something that was not sent yet.
const typed = () => [...document.querySelectorAll('main input, main textarea')].some(e =>
  e.type !== 'hidden' && (e.type === 'checkbox' ? e.checked !== e.defaultChecked : e.value !== e.defaultValue));

function listen() {
  const source = document.body.dataset.live;
  if (!source || stream || document.hidden) return;
  stream = new EventSource(source);
  stream.addEventListener('part', event => {
    const template = document.createElement('template');
    template.innerHTML = event.data;
    const fresh = template.content.firstElementChild;
    if (!fresh) return;
    if (full) full.hidden = true;
    waiting.set(fresh.id, fresh);
    put(fresh.id);
  });
  stream.addEventListener('login', () => {
    if (typed()) ended.hidden = false; // it would be gone with the page
    else location.reload();
  });
  stream.addEventListener('full', () => { // another page has to close first
    if (full) full.hidden = false;
    stream?.close();
    stream = null;
    setTimeout(listen, 30000);
  });
  stream.addEventListener('open', () => { if (offline) offline.hidden = true; });
  stream.addEventListener('error', () => {
    if (offline) offline.hidden = false;
    if (stream && stream.readyState === EventSource.CLOSED) { // refused: the browser does not try again
      stream = null;
      setTimeout(listen, 5000);
    }
  });
}
document.addEventListener('visibilitychange', () => {
  if (document.hidden && stream) {
    stream.close();
    stream = null;
  }
  listen();
});
addEventListener('pagehide', () => { stream?.close(); stream = null; });
listen();

// Values under a pointer.
const tooltip = document.createElement('div');
tooltip.id = 'tooltip';
tooltip.hidden = true;
tooltip.setAttribute('aria-hidden', 'true'); // the table under a chart says the same
document.body.append(tooltip);

document.addEventListener('pointermove', event => {
  const place = event.target.closest?.('[data-tip]');
  tooltip.hidden = !place;
  if (!place) return;
  tooltip.textContent = place.dataset.tip;
  const box = tooltip.getBoundingClientRect();
  const left = event.clientX + 14 + box.width > innerWidth ? event.clientX - 14 - box.width : event.clientX + 14;
  tooltip.style.left = Math.max(4, left) + 'px'; // set by script, which style-src lets be
  tooltip.style.top = Math.max(4, Math.min(event.clientY + 14, innerHeight - box.height - 4)) + 'px';
});

// Choosing a time on a chart by dragging over it.
document.addEventListener('pointerdown', event => {
  const plot = event.target.closest?.('.plot[data-from]');
  if (!plot || event.button !== 0 || event.pointerType === 'touch') return;
  event.preventDefault();
  const box = plot.getBoundingClientRect();
  const share = e => Math.min(1, Math.max(0, (e.clientX - box.left) / box.width));
  const begin = share(event);
  const choice = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
  choice.setAttribute('class', 'choice');
  choice.setAttribute('height', box.height - 24);
  plot.append(choice);
  const move = e => {
    const [a, b] = [begin, share(e)].sort((x, y) => x - y);
    choice.setAttribute('x', a * 100 + '%');
    choice.setAttribute('width', (b - a) * 100 + '%');
  };
  const end = e => {
    document.removeEventListener('pointermove', move);
    choice.remove();
    const [a, b] = [begin, share(e)].sort((x, y) => x - y);
    if ((b - a) * box.width < 8) return; // a click
    const from = Number(plot.dataset.from), span = Number(plot.dataset.to) - from;
    const target = new URL(location);
    target.searchParams.set('from', Math.floor(from + a * span));
    target.searchParams.set('to', Math.ceil(from + b * span));
    location.assign(target);
  };
  document.addEventListener('pointermove', move);
  document.addEventListener('pointerup', end, {once: true});
});

// A form is sent once, and says that it is under way. A file as the answer leaves the page as it is.
document.addEventListener('submit', event => {
  const button = event.submitter;
  if (!button || button.value === 'file') return;
  const progress = event.target.querySelector('progress');
  if (progress) progress.hidden = false;
  setTimeout(() => { button.disabled = true; });
});
addEventListener('pageshow', () => document.querySelectorAll('button[disabled]').forEach(b => { b.disabled = false; }));

// A file that is chosen is looked at before it is sent: the server is given its beginning.
document.addEventListener('change', async event => {
  const field = event.target.closest?.('input[data-preview]'), file = field?.files[0];
  if (!file) return;
  const most = Number(field.dataset.most), form = new FormData(field.form); // what is chosen stays
  if (file.size > most) form.set('cut', '1');
  form.delete('file');
  form.set('file', file.slice(0, most), file.name); // the last: what comes after a file is not read
  const place = document.getElementById(field.id + '-seen');
  place.setAttribute('aria-busy', 'true');
  try {
    const response = await fetch(field.dataset.preview, {method: 'POST', body: form});
    const page = new DOMParser().parseFromString(await response.text(), 'text/html');
    const fault = page.querySelector('main > .notice.bad');
    if (field.files[0] !== file) return; // another was chosen meanwhile
    field.form.querySelector('button.primary').hidden = fault !== null;
    place.replaceChildren(...(fault ? [fault] : page.getElementById(place.id).childNodes));
  } catch {
    if (offline) offline.hidden = false;
  } finally {
    place.removeAttribute('aria-busy');
  }
});

// Files dropped on their field's place.
for (const drop of document.querySelectorAll('.drop')) {
  const mark = on => event => {
    event.preventDefault();
    drop.classList.toggle('over', on);
    if (event.type !== 'drop') return;
    const field = drop.querySelector('input');
    field.files = event.dataTransfer.files;
    field.dispatchEvent(new Event('change', {bubbles: true}));
  };
  drop.addEventListener('dragover', mark(true));
  drop.addEventListener('dragleave', mark(false));
  drop.addEventListener('drop', mark(false));
}
