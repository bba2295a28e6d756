{
  const form = document.getElementById('passkey');
  const { options, make, autofill } = form.dataset;
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (one) => one.charCodeAt());
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
  const say = (name) => { for (const one of form.querySelectorAll('[role=alert]')) one.hidden = one.id !== name; };
  let last;
  let busy = false;

  const ask = async (mediation) => {
    last?.abort();
    const { signal } = last = new AbortController();
    const field = (name) => form.querySelector(`[name=${name}]`)?.value;
    const body = make && JSON.stringify({ mfa_token: field('mfa_token'), name: field('name')?.slice(0, 64) });
    const headers = { 'Content-Type': 'application/json' };
    const answer = await fetch(options, { method: 'POST', headers, body, signal });
    // Without a passkey, the answer is a page that says so.
    if (make && answer.status === 401) return form.submit();
    if (!answer.ok) throw Error();
    const publicKey = await answer.json();
    publicKey.challenge = bytes(publicKey.challenge);
    if (make) publicKey.user.id = bytes(publicKey.user.id);
    for (const one of publicKey.excludeCredentials ?? []) one.id = bytes(one.id);
    const { id, response } = await navigator.credentials[make ? 'create' : 'get']({ publicKey, mediation, signal });
    const said = {};
    for (const name of ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle']) {
      if (response[name]) said[name] = text(response[name]);
    }
    form.querySelector('#proof').value = JSON.stringify({ id, response: said });
    const copy = form.querySelector('#remember');
    if (copy) copy.disabled = !document.querySelector('[type=checkbox]').checked;
    form.submit();
  };

  const offer = async () => {
    if (autofill && !busy && !document.hidden && await PublicKeyCredential.isConditionalMediationAvailable?.()) ask('conditional').catch(() => {});
  };

  if (window.PublicKeyCredential) {
    form.hidden = false;
    document.getElementById('unsupported')?.remove();
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (busy) return;
      busy = true;
      say();
      ask().catch(({ name }) => {
        busy = false;
        say(form.querySelector(`#${name}`) ? name : 'Error');
        offer();
      });
    });
    offer();
    // Options are good for five minutes.
    setInterval(offer, 240000);
    document.addEventListener('visibilitychange', offer);
  }
}
