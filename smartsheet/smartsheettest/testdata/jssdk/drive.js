// Drives a Smartsheet API with the official SDK and prints what it saw as JSON.
// Arguments by environment: BASE_URL (with a slash at its end), TOKEN, SHEET_ID.
'use strict';
const crypto = require('crypto');
const http = require('http');
const smartsheet = require('smartsheet');

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
  const deleted = await client.sheets.deleteRows({ sheetId, rowIds: [id], queryParameters: { ids: String(id) } });
  seen.deleted = deleted.message;
  seen.version = (await client.sheets.getSheetVersion({ sheetId })).version;
}

async function refusals(client, sheetId) {
  try {
    await client.sheets.getRow({ sheetId, rowId: 5 });
  } catch (error) {
    seen.missing = { statusCode: error.statusCode, errorCode: error.errorCode };
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
