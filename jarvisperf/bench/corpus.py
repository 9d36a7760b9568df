"""Real text included with every Python: its language reference in chunks, and questions about it."""

from __future__ import annotations

from functools import lru_cache

CHUNK_CHARACTERS = 480


@lru_cache(maxsize=4)
def reference_chunks(characters: int = CHUNK_CHARACTERS) -> tuple[str, ...]:
    """Split the topics of `pydoc_data.topics` into chunks at paragraph ends.

    Args:
        characters: Maximum length of a chunk; longer paragraphs are split at line ends.

    Returns:
        The distinct chunks, ordered by the names of their topics: about 1,200 for Python 3.11.
    """
    return tuple(topics_of_chunks(characters))


@lru_cache(maxsize=4)
def topics_of_chunks(characters: int = CHUNK_CHARACTERS) -> dict[str, frozenset[str]]:
    """Return the chunks of :func:`reference_chunks`, each with the topics that contain it."""
    from pydoc_data.topics import topics

    found: dict[str, set[str]] = {}  # a dict keeps the order and drops duplicates
    for name in sorted(topics):
        for chunk in _split(topics[name], characters):
            found.setdefault(chunk, set()).add(name)
    return {chunk: frozenset(names) for chunk, names in found.items()}


def _split(text: str, characters: int) -> list[str]:
    chunks: list[str] = []
    chunk = ""
    for line in text.splitlines(keepends=True):
        full = len(chunk) + len(line) > characters
        paragraph_ends = not line.strip() and len(chunk) > characters / 2
        if chunk and (full or paragraph_ends):
            chunks.append(chunk)
            chunk = ""
        chunk += line
    chunks.append(chunk)
    return [stripped for chunk in chunks if (stripped := chunk.strip("\n"))]


QUERIES: tuple[str, ...] = (
    "How does the for statement loop over an iterator?",
    "What happens in the else clause of a while loop?",
    "How do I raise an exception from another exception?",
    "When does the finally block run?",
    "What does the with statement call on a context manager?",
    "How are default parameter values evaluated?",
    "What is the difference between is and ==?",
    "How does Python look up an attribute on an instance?",
    "What does __getattr__ do when an attribute is missing?",
    "How do descriptors work?",
    "What is a metaclass and how is it chosen?",
    "How do I write a generator with yield?",
    "What does yield from delegate?",
    "Which names does the global statement bind?",
    "How does nonlocal differ from global?",
    "What is the operator precedence in Python?",
    "How are string literals concatenated?",
    "What do f-strings allow inside the braces?",
    "How do format specifiers align a number?",
    "How does slicing with a step work?",
    "Which methods does a mutable sequence have?",
    "How can a class be made callable?",
    "What does __slots__ change for a class?",
    "How is the method resolution order used with multiple inheritance?",
    "What does the del statement do to a name?",
    "How do I import a module under another name?",
    "How does a relative import find its package?",
    "What is the purpose of the assert statement?",
    "How does structural pattern matching compare a mapping?",
    "What can stand in a case block as a guard?",
    "How are lambda expressions written?",
    "What is a coroutine and how is it awaited?",
    "How does async for iterate?",
    "What are the rules for identifiers?",
    "How do integers and floats convert in arithmetic?",
    "What does the @ operator do?",
    "How does comparison chaining evaluate?",
    "When is an object considered false?",
    "How do dictionary views behave when the dictionary changes?",
    "How do I use the debugger to set a breakpoint?",
    "Como funciona a instrução for em Python?",
    "Como lançar uma exceção a partir de outra?",
    "Quando o bloco finally é executado?",
    "O que a instrução with chama no gerenciador de contexto?",
    "Como são avaliados os valores padrão dos parâmetros?",
    "Qual é a diferença entre is e ==?",
    "Como escrever um gerador com yield?",
    "O que é uma metaclasse?",
    "Como funcionam os descritores?",
    "Qual é a precedência dos operadores?",
    "Como fatiar uma lista com passo negativo?",
    "O que faz a instrução del?",
    "Como importar um módulo com outro nome?",
    "Para que serve a instrução assert?",
    "Como definir uma função anônima com lambda?",
    "O que é uma corrotina e como esperar por ela?",
    "Quais métodos tem uma sequência mutável?",
    "Quando um objeto é considerado falso?",
    "Como funciona a busca de um atributo em uma instância?",
    "Como formatar um número com casas decimais?",
)
"""Sixty questions about the reference, forty in English and twenty in Portuguese."""
