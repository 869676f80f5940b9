// Drives a Smartsheet API with one major of the official SDK and prints what it
// saw as JSON. Arguments by environment: MAJOR, BASE_URL (with a slash at its
// end), TOKEN, SHEET_ID, WORKSPACE_ID, CLIENT_ID, CLIENT_SECRET, CODE.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');

const major = Number(process.env.MAJOR);
const smartsheet = require('smartsheet-' + major);

const seen = { challenges: 0, callbacks: 0, signed: 0, kinds: [] };
let secret = '';
let arrived = () => {};

const receiver = http.createServer((req, res) => {
  const chunks = [];
  req.on('data', (chunk) => chunks.push(chunk));
  req.on('end', () => {
    const body = Buffer.concat(chunks);
    const challenge = req.headers['smartsheet-hook-challenge'];
    if (challenge) {
      seen.challenges++;
      res.setHeader('Content-Type', 'application/json');
      res.end(JSON.stringify({ smartsheetHookResponse: challenge }));
      return;
    }
    seen.callbacks++;
    const want = crypto.createHmac('sha256', secret).update(body).digest('hex');
    if (req.headers['smartsheet-hmac-sha256'] === want) seen.signed++;
    for (const event of JSON.parse(body).events) seen.kinds.push(event.objectType + '.' + event.eventType);
    res.end();
    arrived();
  });
});

const nextCallback = () => new Promise((resolve) => { arrived = resolve; });

async function rows(client, sheetId, columns) {
  const callback = nextCallback();
  const added = await client.sheets.addRows({
    sheetId, body: [{ toTop: true, cells: [{ columnId: columns.Task, value: 'from the SDK' }] }], changeAgent: 'sdk',
  });
  await callback;
  seen.added = { message: added.message, number: added.result[0].rowNumber };
  const id = added.result[0].id;
  const updated = await client.sheets.updateRow({
    sheetId, body: [{ id, cells: [{ columnId: columns.Tags, objectValue: { objectType: 'MULTI_PICKLIST', values: ['A', 'C'] } }] }],
  });
  seen.updated = updated.message;
  const row = await client.sheets.getRow({ sheetId, rowId: id, queryParameters: { level: 2, include: 'objectValue' } });
  seen.tags = row.cells.find((cell) => cell.columnId === columns.Tags).objectValue.values;
  await attachments(client, sheetId, id);
  const deleted = await client.sheets.deleteRows({ sheetId, rowIds: [id], queryParameters: { ids: String(id) } });
  seen.deleted = deleted.message;
  seen.version = (await client.sheets.getSheetVersion({ sheetId })).version;
}

// What hangs on a row, uploaded from a file and as a link.
async function attachments(client, sheetId, rowId) {
  fs.writeFileSync('note-' + major + '.txt', 'a note');
  const path = 'note-' + major + '.txt';
  const file = await client.sheets.addFileAttachment({ sheetId, fileName: 'note.txt', path, fileSize: fs.statSync(path).size });
  const link = await client.sheets.addRowUrlAttachment({ sheetId, rowId, body: { name: 'Spec', attachmentType: 'LINK', url: 'https://x.example' } });
  const onRow = await client.sheets.addRowFileAttachment({ sheetId, rowId, fileName: 'row.txt', path, fileSize: fs.statSync(path).size });
  seen.attached = [file, link, onRow].map((answer) => `${answer.result.attachmentType} ${answer.result.name} ${answer.result.parentType}`);
  const one = await client.sheets.getAttachment({ sheetId, attachmentId: file.result.id });
  const content = await new Promise((resolve, reject) => {
    http.get(one.url, (res) => {
      let text = '';
      res.on('data', (chunk) => { text += chunk; });
      res.on('end', () => resolve(text));
    }).on('error', reject);
  });
  seen.content = content;
  const list = await client.sheets.listAttachments({ sheetId });
  seen.attachments = list.data.length;
  for (const attachment of list.data) await client.sheets.deleteAttachment({ sheetId, attachmentId: attachment.id });
}

// By name and by workspace, as connectors find a sheet.
async function places(client, sheetId, workspaceId) {
  const listed = await client.workspaces.listWorkspaces({});
  seen.workspaces = listed.data.map((workspace) => workspace.name).join();
  const children = client.workspaces.getWorkspaceChildren
    ? (await client.workspaces.getWorkspaceChildren({ workspaceId })).data.filter((child) => child.resourceType === 'sheet')
    : (await client.workspaces.getWorkspace({ workspaceId })).sheets;
  seen.inWorkspace = children.map((sheet) => sheet.name).join();
  const query = major < 5 ? { query: 'everything' } : { queryParameters: { query: 'everything' } };
  const found = await client.search.searchAll(query);
  seen.found = found.results.some((result) => result.objectType === 'sheet' && result.objectId === sheetId);
  seen.info = typeof (await client.server.getInfo({})).formats.defaults;
}

// A consent becomes tokens, tokens are renewed, and read a sheet.
async function oauth(sheetId) {
  const app = { client_id: process.env.CLIENT_ID, client_secret: process.env.CLIENT_SECRET };
  const client = smartsheet.createClient({ accessToken: '', baseUrl: process.env.BASE_URL, logLevel: 'error' });
  const first = await client.tokens.getAccessToken({ queryParameters: { ...app, code: process.env.CODE } });
  const second = await client.tokens.refreshAccessToken({ queryParameters: { ...app, refresh_token: first.refresh_token } });
  const other = smartsheet.createClient({ accessToken: second.access_token, baseUrl: process.env.BASE_URL, logLevel: 'error' });
  seen.byToken = (await other.sheets.getSheet({ id: sheetId })).name;
}

async function refusals(client, sheetId) {
  try {
    await client.sheets.getRow({ sheetId, rowId: 5 });
  } catch (error) {
    seen.missing = { statusCode: error.statusCode, errorCode: error.errorCode };
  }
  try {
    await client.reports.listReports({});
  } catch (error) {
    seen.notSimulated = { statusCode: error.statusCode, errorCode: error.errorCode };
  }
}

async function main() {
  await new Promise((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const client = smartsheet.createClient({ accessToken: process.env.TOKEN, baseUrl: process.env.BASE_URL, logLevel: 'error' });
  const sheetId = Number(process.env.SHEET_ID);
  seen.me = (await client.users.getCurrentUser({})).email;
  seen.sheets = (await client.sheets.listSheets({})).data.length;
  const sheet = await client.sheets.getSheet({ id: sheetId, queryParameters: { level: 2, include: 'objectValue,columnType' } });
  seen.rows = sheet.rows.length;
  const columns = Object.fromEntries(sheet.columns.map((column) => [column.title, column.id]));

  const created = await client.webhooks.createWebhook({
    body: { name: 'SDK', callbackUrl: `http://127.0.0.1:${receiver.address().port}/cb`, scope: 'sheet', scopeObjectId: sheetId, events: ['*.*'], version: 1 },
  });
  seen.created = created.result.status;
  const webhookId = created.result.id;
  secret = created.result.sharedSecret;
  seen.enabled = (await client.webhooks.updateWebhook({ webhookId, body: { enabled: true } })).result.status;
  const list = await client.webhooks.listWebhooks({ queryParameters: { pageSize: 10 } });
  seen.listed = { total: list.totalCount, found: list.data.some((webhook) => webhook.id === webhookId) };
  await rows(client, sheetId, columns);
  await refusals(client, sheetId);
  await places(client, sheetId, Number(process.env.WORKSPACE_ID));
  await oauth(sheetId);
  seen.renamed = (await client.webhooks.updateWebhook({ webhookId, body: { name: 'Renamed' } })).result.name;
  const reset = await client.webhooks.resetSharedSecret({ webhookId });
  seen.reset = reset.result.sharedSecret !== secret;
  secret = reset.result.sharedSecret;
  seen.got = (await client.webhooks.getWebhook({ webhookId })).status;
  seen.gone = (await client.webhooks.deleteWebhook({ webhookId })).message;
}

main()
  .then(() => console.log(JSON.stringify(seen)))
  .catch((error) => { console.error(error); process.exitCode = 1; })
  .finally(() => receiver.close());
