// A real OpenID provider with a login page, two accounts, and faults on demand.
//
// It is told in the environment (PROVIDER) where it listens and whom it knows, one fault at a time on standard
// input, and says on standard output when it is ready and when a fault is in effect. It ends with its input, so
// that none outlives the test that started it.

import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

import { SignJWT, UnsecuredJWT, decodeJwt, exportJWK, generateKeyPair, importJWK } from 'jose';
import { Provider } from 'oidc-provider';

const settings = JSON.parse(process.env.PROVIDER);
const issuer = `http://127.0.0.1:${settings.port}`;
const DISCOVERY = '/.well-known/openid-configuration';

/** What goes wrong at the moment; `none` is how a provider should be. */
let fault = { kind: 'none' };
const cookieKeys = [randomUUID()];
let key = await newKey();
let provider = newProvider();

async function newKey() {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  return { ...(await exportJWK(privateKey)), use: 'sig', alg: 'RS256', kid: randomUUID() };
}

/** What the provider remembers outlives it: only its key is new. */
function newProvider() {
  const made = new Provider(issuer, {
    jwks: { keys: [key] },
    clients: settings.clients.map(({ id, redirects }) => ({
      client_id: id,
      redirect_uris: redirects,
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code'],
      response_types: ['code'],
      application_type: 'native',
    })),
    cookies: { keys: cookieKeys },
    features: { devInteractions: { enabled: false } },
    pkce: { required: () => true },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    ttl: {
      AccessToken: 600, AuthorizationCode: 60, Grant: 600, IdToken: 600, Interaction: 600,
      Session: 600,
    },
  });
  made.use(misbehave);
  return made;
}

/** Changes the answers of the provider as the fault wants it. */
async function misbehave(ctx, next) {
  await next();
  if (ctx.path === DISCOVERY && fault.kind === 'another issuer') {
    ctx.body = { ...ctx.body, issuer: 'http://somebody-else.invalid' };
  }
  if (ctx.path === DISCOVERY && fault.kind === 'no document') {
    ctx.body = 'Under construction';
  }
  if (ctx.path === '/token' && ctx.body?.id_token) {
    ctx.body = { ...ctx.body, id_token: await forge(ctx.body.id_token) };
  }
}

async function forge(token) {
  const claims = decodeJwt(token);
  const sign = async (changed, signer = key) =>
    new SignJWT({ ...claims, ...changed })
      .setProtectedHeader({ alg: 'RS256', kid: key.kid })
      .sign(await importJWK(signer, 'RS256'));
  switch (fault.kind) {
    case 'another audience': return sign({ aud: 'somebody-else' });
    case 'expired token': return sign({ iat: claims.iat - 7200, exp: claims.iat - 3600 });
    case 'unknown key': return sign({}, await newKey());
    case 'unsigned token': return new UnsecuredJWT(claims).encode();
    default: return token;
  }
}

const escaped = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.codePointAt(0)};`);

function page(response, status, title, body) {
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8' });
  response.end(`<!doctype html><html lang="en"><title>${title}</title><h1>${title}</h1>${body}</html>`);
}

function loginPage(response, status, uid, complaint = '') {
  page(response, status, 'Log in', `<p>${complaint}</p>
    <form method="post" action="/interaction/${uid}/login">
      <label>Account <input name="account" required></label>
      <label>Password <input name="password" type="password" required></label>
      <button id="login">Log in</button>
    </form>
    <form method="post" action="/interaction/${uid}/deny"><button id="deny">Cancel</button></form>`);
}

function consentPage(response, uid, client) {
  page(response, 200, 'Consent', `<p>${escaped(client)} wants to know who you are.</p>
    <form method="post" action="/interaction/${uid}/allow"><button id="allow">Allow</button></form>
    <form method="post" action="/interaction/${uid}/deny"><button id="deny">Deny</button></form>`);
}

/** The pages that a person sees. */
async function interact(request, response, uid, action) {
  const details = await provider.interactionDetails(request, response);
  if (request.method === 'GET') {
    return details.prompt.name === 'login'
      ? loginPage(response, 200, uid)
      : consentPage(response, uid, details.params.client_id);
  }
  if (action === 'deny') {
    const denial = { error: 'access_denied', error_description: 'The person said no' };
    return provider.interactionFinished(request, response, denial, { mergeWithLastSubmission: false });
  }
  if (action === 'login') {
    let text = '';
    for await (const chunk of request) text += chunk;
    const form = new URLSearchParams(text);
    const account = settings.accounts[form.get('account')];
    if (!account || account.password !== form.get('password')) {
      return loginPage(response, 401, uid, 'Wrong account or password');
    }
    return provider.interactionFinished(request, response, { login: { accountId: account.sub } });
  }
  const { session, params, prompt } = details;
  const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope((prompt.details.missingOIDCScope ?? []).join(' '));
  const grantId = await grant.save();
  return provider.interactionFinished(request, response, { consent: { grantId } });
}

const server = createServer(async (request, response) => {
  const path = request.url.split('?')[0];
  if (path === fault.at) {
    if (fault.kind === 'slow') {
      await new Promise((done) => {
        setTimeout(done, fault.seconds * 1000);
        response.once('close', done);
      });
    }
    if (fault.kind === 'broken') {
      response.writeHead(500).end('out of order');
      return;
    }
  }
  const [, uid, action] = path.match(/^\/interaction\/([^/]+)(?:\/(\w+))?$/) ?? [];
  if (!uid) {
    provider.callback()(request, response);
    return;
  }
  try {
    await interact(request, response, uid, action);
  } catch (error) {
    page(response, 400, 'This login is over', escaped(error.message));
  }
});

server.listen(settings.port, '127.0.0.1', () => console.log('ready'));

const orders = createInterface({ input: process.stdin });
orders.on('line', async (line) => {
  fault = JSON.parse(line);
  if (fault.kind === 'new keys') {
    key = await newKey();
    provider = newProvider();
  }
  console.log('done');
});
orders.on('close', () => process.exit(0));
