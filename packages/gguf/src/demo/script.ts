/**
 * What the demonstration model can say: one sentence of each part, in this order. `{a|b}` are alternatives.
 * Every reply says that it is a demonstration, that it knows nothing, and how to give a real model.
 */
export const demoScript: readonly (readonly string[])[] = [
  [
    'I am the Shoal demo, a {tiny|small} demonstration model that knows nothing.',
    'Hello! This is the Shoal demo, a {tiny|small} demonstration model that knows nothing.',
    'You have reached the Shoal demo, a demonstration model that knows nothing {whatsoever|at all}.',
    'Welcome to the Shoal demo: only a demonstration, without any knowledge.',
  ],
  [
    'My words follow each other by chance, so do not believe them.',
    'I {merely|only} chain words together, whatever you {ask|write}.',
    'What I say is no answer to your question.',
    'I cannot answer questions, but I can show that tokens are streaming.',
    'My whole mind is a table of {words|sentences} and a {pair of dice|bit of chance}.',
  ],
  [
    'Shoal turns the {machines|computers|laptops} of a team into one private endpoint.',
    'Shoal lets the {machines|computers|laptops} in one room work like a single server.',
    'A shoal is many small fish that swim as one, and here every fish is a {computer|machine|laptop}.',
    'Behind this endpoint a few {ordinary|quiet|patient} machines may {swim|work} as one.',
  ],
  [
    'Each node has an agent, which weighs its memory and loads whatever fits best.',
    'One gateway finds all agents and sends each request to the node that will reply first.',
    'When a node leaves in the middle of a sentence, another one {carries the stream on|takes over}.',
    'Big mixtures can be spread over several nodes, expert by expert, and the mathematics {stays|remains} exact.',
    'The gateway keeps a queue, the agents keep their slots, and the engine keeps the pace.',
  ],
  [
    'Nothing leaves your own network.',
    'No prompt leaves the building, with or without an internet.',
    'It speaks the interface that most {tools|programs|editors} already understand.',
    'Even on a factory floor without internet it goes on {humming|working|swimming}.',
  ],
  [
    'To hear something sensible, start Shoal with a real model.',
    'Copy any GGUF file into the models folder and start again.',
    'With a proper model in my place, these lines would {begin to make|make} sense.',
    'Please give Shoal a real model, for example with the option --model.',
  ],
  [
    'Until then I will go on babbling.',
    'Until then, enjoy the {sound|sight} of tokens.',
    'That is all this demonstration can say.',
    'Now my script is over: goodbye!',
  ],
]
