/**
 * Statements of AWS IoT's SQL, version 2016-03-23, by recursive descent; precedence from loose to tight:
 * OR, AND, NOT, comparison and IN, + -, * / %, unary -, member access.
 */
import { functions, functionsElsewhere } from './functions.ts';
import { readToken, type Token } from './lexer.ts';
import type {
  ArithmeticOperator,
  CastTarget,
  ComparisonOperator,
  Expression,
  Selection,
  Statement,
} from './syntax.ts';
import { SqlError } from './syntax.ts';

const statementLengthMax = 16_384;
const depthMax = 64;
/** Bounds chains of operators, and with them the evaluator's recursion. */
const tokensMax = 2_000;

/** Words that can't stand for an attribute, except behind a dot. */
const reserved = new Set(
  'SELECT FROM WHERE AS AND OR NOT IN CASE WHEN THEN ELSE END TRUE FALSE NULL UNDEFINED SET LIKE BETWEEN IS DISTINCT JOIN GROUP ORDER BY HAVING LIMIT UNION'.split(
    ' ',
  ),
);

const castTargets: Record<string, CastTarget> = {
  string: 'string',
  nvarchar: 'string',
  text: 'string',
  ntext: 'string',
  varchar: 'string',
  int: 'int',
  integer: 'int',
  double: 'decimal',
  decimal: 'decimal',
  bool: 'boolean',
  boolean: 'boolean',
};

/** @throws SqlError naming the place of whatever is not known. */
export function parseStatement(text: string): Statement {
  const parser = new Parser(text, 0);
  const statement = parser.statement();
  parser.expectEnd();
  return statement;
}

/**
 * An expression inside other text (a substitution template).
 * @returns where the text goes on behind the expression
 * @throws SqlError
 */
export function parseExpressionAt(text: string, at: number): { expression: Expression; end: number } {
  const parser = new Parser(text, at);
  const expression = parser.expression();
  return { expression, end: parser.position };
}

class Parser {
  readonly #text: string;
  #token: Token;
  #depth = 0;
  #tokens = 0;

  constructor(text: string, at: number) {
    this.#text = text;
    if (text.length > statementLengthMax)
      throw new SqlError(text, 0, `more than ${statementLengthMax} characters`);
    this.#token = readToken(text, at);
  }

  /** Start of the token that is next. */
  get position(): number {
    return this.#token.at;
  }

  statement(): Statement {
    if (this.#isWord('SET')) this.#fail('the SET clause is not in this engine');
    this.#expectWord('SELECT');
    const selection = this.#selection();
    let from: string | undefined;
    if (this.#takeWord('FROM')) {
      const token = this.#next();
      if (token.kind !== 'string' || token.quote !== "'") {
        throw new SqlError(this.#text, token.at, 'FROM takes a topic filter in single quotes');
      }
      from = token.value;
    }
    const where = this.#takeWord('WHERE') ? this.expression() : undefined;
    return { selection, ...(from !== undefined && { from }), ...(where && { where }) };
  }

  expectEnd(): void {
    if (this.#token.kind !== 'end') this.#fail(`${this.#shown()} is not expected here`);
  }

  expression(): Expression {
    if (++this.#depth > depthMax) this.#fail(`expressions nest deeper than ${depthMax}`);
    let left = this.#conjunction();
    while (this.#takeWord('OR')) left = { kind: 'or', left, right: this.#conjunction() };
    this.#depth--;
    return left;
  }

  #conjunction(): Expression {
    let left = this.#negation();
    while (this.#takeWord('AND')) left = { kind: 'and', left, right: this.#negation() };
    return left;
  }

  #negation(): Expression {
    let nots = 0;
    while (this.#takeWord('NOT')) nots++;
    let operand = this.#comparison();
    for (; nots > 0; nots--) operand = { kind: 'not', operand };
    return operand;
  }

  #comparison(): Expression {
    const left = this.#sum();
    const compared = this.#comparisonWith(left);
    if (compared !== left && this.#comparisonFollows()) {
      this.#fail('comparisons do not chain: use AND, or parentheses');
    }
    return compared;
  }

  #comparisonFollows(): boolean {
    return this.#isWord('IN') || (this.#token.kind === 'symbol' && /^[<>=]/.test(this.#token.text));
  }

  #comparisonWith(left: Expression): Expression {
    if (this.#takeWord('IN')) return { kind: 'in', left, right: this.#sum() };
    for (const operator of ['=', '<>', '<=', '>=', '<', '>'] satisfies ComparisonOperator[]) {
      if (this.#takeSymbol(operator)) return { kind: 'compare', operator, left, right: this.#sum() };
    }
    return left;
  }

  #sum(): Expression {
    return this.#leftAssociative(['+', '-'], () => this.#product());
  }

  #product(): Expression {
    return this.#leftAssociative(['*', '/', '%'], () => this.#unary());
  }

  #leftAssociative(operators: ArithmeticOperator[], operand: () => Expression): Expression {
    let left = operand();
    for (;;) {
      const operator = operators.find((each) => this.#takeSymbol(each));
      if (!operator) return left;
      left = { kind: 'arithmetic', operator, left, right: operand() };
    }
  }

  #unary(): Expression {
    if (!this.#takeSymbol('-')) return this.#path();
    if (this.#isSymbol('-')) this.#fail('a doubled minus');
    return { kind: 'negate', operand: this.#path() };
  }

  #path(): Expression {
    let of = this.#primary();
    while (this.#takeSymbol('.')) of = { kind: 'member', of, name: this.#name() };
    if (this.#isSymbol('[')) this.#fail('read an element with get(array, index)');
    return of;
  }

  #primary(): Expression {
    const token = this.#token;
    if (token.kind === 'number' || token.kind === 'string') {
      this.#next();
      return { kind: 'literal', value: token.value };
    }
    if (this.#takeSymbol('(')) {
      const inner = this.#isWord('SELECT') ? this.#nestedSelect() : this.expression();
      this.#expectSymbol(')');
      return inner;
    }
    if (this.#takeSymbol('[')) return { kind: 'array', elements: this.#list(']', () => this.#part()) };
    if (this.#takeSymbol('{')) return { kind: 'object', members: this.#list('}', () => this.#member()) };
    if (token.kind !== 'word') return this.#fail(`an expression is expected, not ${this.#shown()}`);
    if (this.#takeWord('TRUE')) return { kind: 'literal', value: true };
    if (this.#takeWord('FALSE')) return { kind: 'literal', value: false };
    if (this.#takeWord('NULL')) return { kind: 'literal', value: null };
    if (this.#takeWord('CASE')) return this.#case();
    if (reserved.has(token.text.toUpperCase())) return this.#fail(`${token.text} is not expected here`);
    this.#next();
    if (!this.#isSymbol('(')) return { kind: 'attribute', name: token.text };
    return token.text.toLowerCase() === 'cast' ? this.#cast() : this.#call(token.text, token.at);
  }

  #nestedSelect(): Expression {
    this.#expectWord('SELECT');
    const selection = this.#selection();
    this.#expectWord('FROM');
    if (this.#token.kind === 'string')
      this.#fail('a nested SELECT reads from an attribute, not from a topic');
    const from = this.#path();
    const where = this.#takeWord('WHERE') ? this.expression() : undefined;
    return { kind: 'select', selection, from, ...(where && { where }) };
  }

  #case(): Expression {
    if (this.#isWord('WHEN')) this.#fail('CASE takes a value: CASE value WHEN … THEN … END');
    const subject = this.expression();
    const branches: { when: Expression; result: Expression }[] = [];
    while (this.#takeWord('WHEN')) {
      const when = this.expression();
      this.#expectWord('THEN');
      branches.push({ when, result: this.expression() });
    }
    if (branches.length === 0) this.#fail('CASE needs a WHEN');
    const otherwise = this.#takeWord('ELSE') ? this.expression() : undefined;
    this.#expectWord('END');
    return { kind: 'case', subject, branches, ...(otherwise && { otherwise }) };
  }

  #cast(): Expression {
    this.#expectSymbol('(');
    const operand = this.expression();
    this.#expectWord('AS');
    const token = this.#token;
    const to = token.kind === 'word' ? castTargets[token.text.toLowerCase()] : undefined;
    if (!to)
      return this.#fail(
        `cast to ${this.#shown()} is not known; it takes ${Object.keys(castTargets).join(', ')}`,
      );
    this.#next();
    this.#expectSymbol(')');
    return { kind: 'cast', operand, to };
  }

  #call(written: string, at: number): Expression {
    const name = written.toLowerCase();
    const definition = functions.get(name);
    if (!definition) {
      const why = functionsElsewhere.has(name)
        ? 'is not in the local cloud'
        : 'is not a function of AWS IoT SQL';
      throw new SqlError(this.#text, at, `${written}() ${why}`);
    }
    this.#expectSymbol('(');
    const given = this.#list(')', () => this.#part());
    const [least, most] = definition.arity;
    if (given.length < least || given.length > most) {
      const wanted =
        least === most ? least : `${least} to ${most === Number.POSITIVE_INFINITY ? 'any number of' : most}`;
      throw new SqlError(this.#text, at, `${written}() takes ${wanted} arguments, not ${given.length}`);
    }
    const fault = definition.check?.(given);
    if (fault) throw new SqlError(this.#text, at, `${written}(): ${fault}`);
    return { kind: 'call', name, arguments: given, at };
  }

  /** Of a list, where the whole message may stand, too. */
  #part(): Expression {
    return this.#takeSymbol('*') ? { kind: 'star' } : this.expression();
  }

  #member(): { key: string; value: Expression } {
    const token = this.#next();
    if (token.kind !== 'string')
      throw new SqlError(this.#text, token.at, 'a key of an object is a string in quotes');
    this.#expectSymbol(':');
    return { key: token.value, value: this.#part() };
  }

  #list<T>(close: string, element: () => T): T[] {
    const elements: T[] = [];
    if (this.#takeSymbol(close)) return elements;
    do elements.push(element());
    while (this.#takeSymbol(','));
    this.#expectSymbol(close);
    return elements;
  }

  #selection(): Selection {
    if (this.#isWord('DISTINCT')) this.#fail('DISTINCT is not in this SQL');
    if (this.#isWord('VALUE') && this.#isValueKeyword()) {
      this.#next();
      const value: Expression = this.#takeSymbol('*') ? { kind: 'star' } : this.expression();
      if (this.#isSymbol(',') || this.#isWord('AS'))
        this.#fail('SELECT VALUE takes one expression without a name');
      return { kind: 'value', value };
    }
    const star = this.#takeSymbol('*');
    const items: { value: Expression; as: string[] }[] = [];
    if (!star || this.#takeSymbol(',')) {
      do items.push(this.#item());
      while (this.#takeSymbol(','));
    }
    return { kind: 'items', star, items };
  }

  /** VALUE is also a common name of an attribute: what follows it decides. */
  #isValueKeyword(): boolean {
    const next = readToken(this.#text, this.#token.end);
    if (next.kind === 'end') return false;
    if (next.kind === 'word') return !/^(AS|FROM|WHERE|AND|OR|IN)$/i.test(next.text);
    if (next.kind !== 'symbol') return true;
    if (next.text === '*') {
      const after = readToken(this.#text, next.end);
      return after.kind === 'end' || (after.kind === 'word' && /^(FROM|WHERE)$/i.test(after.text));
    }
    if (next.text === '-') this.#fail('VALUE before a minus: write VALUE (-…), or (value) - …');
    return next.text === '(' || next.text === '[' || next.text === '{';
  }

  #item(): { value: Expression; as: string[] } {
    const { at } = this.#token;
    if (this.#isSymbol('*')) this.#fail('* comes first, so that the other items win over the message');
    const value = this.expression();
    if (this.#takeWord('AS')) {
      const as = [this.#name()];
      while (this.#takeSymbol('.')) as.push(this.#name());
      return { value, as };
    }
    // AWS names an attribute by its last part; how it names other expressions its guide does not say.
    if (value.kind !== 'attribute' && value.kind !== 'member') {
      throw new SqlError(this.#text, at, 'this expression needs a name: … AS name');
    }
    return { value, as: [value.name] };
  }

  #name(): string {
    const token = this.#next();
    if (token.kind !== 'word') throw new SqlError(this.#text, token.at, 'a name is expected');
    return token.text;
  }

  #next(): Token {
    const token = this.#token;
    if (++this.#tokens > tokensMax) this.#fail(`more than ${tokensMax} words and signs`);
    if (token.kind !== 'end') this.#token = readToken(this.#text, token.end);
    return token;
  }

  #isWord(keyword: string): boolean {
    return this.#token.kind === 'word' && this.#token.text.toUpperCase() === keyword;
  }

  #takeWord(keyword: string): boolean {
    if (!this.#isWord(keyword)) return false;
    this.#next();
    return true;
  }

  #expectWord(keyword: string): void {
    if (!this.#takeWord(keyword)) this.#fail(`${keyword} is expected, not ${this.#shown()}`);
  }

  #isSymbol(text: string): boolean {
    return this.#token.kind === 'symbol' && this.#token.text === text;
  }

  #takeSymbol(text: string): boolean {
    if (!this.#isSymbol(text)) return false;
    this.#next();
    return true;
  }

  #expectSymbol(text: string): void {
    if (!this.#takeSymbol(text)) this.#fail(`${text} is expected, not ${this.#shown()}`);
  }

  #shown(): string {
    const { kind, at, end } = this.#token;
    return kind === 'end' ? 'the end' : this.#text.slice(at, end);
  }

  #fail(message: string): never {
    throw new SqlError(this.#text, this.#token.at, message);
  }
}
