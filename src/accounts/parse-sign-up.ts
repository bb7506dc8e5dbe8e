import { InputError, type Problem } from '#base/errors.ts';

export interface SignUpInput {
  email: string;
  username: string;
  password: string;
  accountName?: string | null | undefined;
}

/** What is stored of the input: the email in lower case, the account named after the member unless it has a name. */
export interface ParsedSignUp {
  email: string;
  username: string;
  password: string;
  accountName: string;
}

const emailLengthMax = 254;
const accountNameLengthMax = 100;

/** Fails with every problem at once, each at its field. The password is in none of the messages. */
export function parseSignUp(input: SignUpInput): ParsedSignUp {
  const email = input.email.trim().toLowerCase();
  const username = input.username.trim();
  const accountName = input.accountName?.trim() ?? username;
  const problems = [
    checkEmail(email),
    checkUsername(username),
    checkPassword(input.password),
    checkAccountName(accountName, input.accountName),
  ].filter((problem) => problem !== null);
  if (problems.length > 0) throw new InputError(problems);
  return { email, username, password: input.password, accountName };
}

function checkEmail(email: string): Problem | null {
  if (email === '') return required('email', 'The email address is missing.');
  // Whether an address exists is known to its mail server only; this refuses what cannot be one.
  const isShaped = /^[^\s@<>"(),;:\\]+@[^\s@<>"(),;:\\.]+(\.[^\s@<>"(),;:\\.]+)*$/.test(email);
  if (isShaped && email.length <= emailLengthMax) return null;
  const message = `"${shortened(email)}" is not an email address.`;
  return { code: 'INVALID', path: ['email'], message, fix: 'Give one like name@example.com.' };
}

function checkUsername(username: string): Problem | null {
  if (username === '') return required('username', 'The username is missing.');
  if (/^[a-z0-9._-]{2,40}$/.test(username)) return null;
  const allowed = username
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .slice(0, 40);
  return {
    code: 'INVALID',
    path: ['username'],
    message: `The username "${shortened(username)}" is not allowed: it has 2 to 40 characters of a-z, 0-9, ".", "_" and "-".`,
    fix: /^[a-z0-9._-]{2,40}$/.test(allowed) ? `Use "${allowed}", for example.` : 'Choose another one.',
  };
}

function checkPassword(password: string): Problem | null {
  const path = ['password'];
  const { length } = Array.from(password);
  if (length === 0) return required('password', 'The password is missing.');
  if (length < 10) {
    const message = `The password has ${length} characters; it needs at least 10.`;
    return { code: 'INVALID', path, message, fix: 'A few words in a row make a good one.' };
  }
  if (length <= 200) return null;
  return {
    code: 'INVALID',
    path,
    message: `The password has ${length} characters; at most 200 are allowed.`,
  };
}

function checkAccountName(name: string, given: string | null | undefined): Problem | null {
  const path = ['accountName'];
  if (name === '' && typeof given === 'string') {
    return {
      code: 'INVALID',
      path,
      message: 'The name of the account is empty.',
      fix: 'Give one, or leave it out.',
    };
  }
  if (name.length <= accountNameLengthMax || typeof given !== 'string') return null;
  const message = `The name of the account has ${name.length} characters; at most ${accountNameLengthMax} are allowed.`;
  return { code: 'INVALID', path, message };
}

function required(field: string, message: string): Problem {
  return { code: 'REQUIRED', path: [field], message };
}

function shortened(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
