/** Starts a configuration repository from the example that comes with the program. */
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StalledError } from '../../base/failures.ts';
import { suggestion } from '../../base/text.ts';

const example = join(import.meta.dirname, '..', '..', '..', 'example-config-repo');

/** One service of the given name, made of a template or of the example's first service. Refuses a folder that holds files. */
export async function initRepository(directory: string, template: string | undefined, service: string): Promise<readonly string[]> {
  if (!/^[a-z0-9][a-z0-9._-]{0,127}$/.test(service)) {
    throw new StalledError(`"${service}" can't name a service: use lower-case letters, digits, dots, dashes and underscores.`);
  }
  await mkdir(directory, { recursive: true });
  const present = (await readdir(directory)).filter((name) => name !== '.git');
  if (present.length > 0) throw new StalledError(`${directory} is not empty (${present.slice(0, 3).join(', ')}); choose an empty folder.`);
  const templates = (await readdir(join(example, 'templates'))).map((name) => name.replace(/\.yaml$/, ''));
  if (template !== undefined && !templates.includes(template))
    throw new StalledError(`There is no template "${template}".${suggestion(template, templates)}`);
  await cp(example, directory, { recursive: true });
  const services = await readdir(join(directory, 'services'));
  const source =
    template === undefined ? join(example, 'services', services[0] ?? '', 'config.yaml') : join(example, 'templates', `${template}.yaml`);
  const text = await readFile(source, 'utf8');
  await rm(join(directory, 'services'), { recursive: true });
  await mkdir(join(directory, 'services', service), { recursive: true });
  await writeFile(
    join(directory, 'services', service, 'config.yaml'),
    text
      .replace(/^( *service:).*$/m, `$1 ${service}`)
      .replace(/^( {2}name:).*$/m, `$1 ${service}`)
      .replace(/^ {2}description:.*\n/m, ''),
  );
  return readdir(directory, { recursive: true, withFileTypes: true }).then((entries) =>
    entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)),
  );
}
