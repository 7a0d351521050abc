"""The words that answers put around and in place of those of the documentation."""

_PAIRS = """
need=require | needs=requires | must=have to | start=launch | by default=out of the box
once=a single time | only=just | because=as | since=given that | never=at no time | every=each
up to=as many as | when=whenever | shows=displays | show=display | shown=displayed | list=overview
names=identifies | takes=consumes | keep=retain | kept=retained | gives=returns | give=supply
should=ought to | may=might | cannot=can not | so that=in order that | without=lacking
before=prior to | after=following | jobs=tasks | job=task | worker=consumer process
workers=consumer processes | broker=server process | brokers=server processes | leader=primary
writes=updates | long=lengthy | ten=10 | five=5 | three=3 | two=2 | four=4 | eight=8 | sixty=60
thirty=30 | seconds=secs | minutes=mins | hours=hrs | refused=rejected | erased=wiped
delete=remove | deletes=removes | stops=halts | stop=halt | run=execute | runs=executes
send=transmit | sends=transmits | finished=completed | create=make | accepts=allows
accepted=allowed | answer=response | answers=replies | request=call | lost=missing | error=fault
errors=faults | mostly=typically | often=frequently | because of=owing to | such as=for instance
at least=no fewer than | raise=increase | lengthen=extend | whole=entire | check=inspect
compare=match up | read=load | store=save | stored=saved | waits=pauses | means=indicates
says=states | comes=arrives | come=arrive | leaves=keeps | newer=later | rather than=instead of
instead of=in place of | mount=attach | publish=expose | path=location | directory=folder
memory=RAM | limits=caps | limit=ceiling | bounds=restricts | fires=triggers | fire=trigger
missed=skipped | resume=continue | settings=options | address=endpoint | certificate=cert
configuration=config | token=credential | twice=two times | automatically=by itself
within=inside | together=jointly | another=a different | again=once more | several=a number of
default=standard value | empty=blank | single=lone | then=next | about=roughly | figures=values
"""
SYNONYMS = {
    old.strip(): new.strip()
    for line in _PAIRS.strip().splitlines()
    for old, new in (pair.split("=") for pair in line.split("|"))
}
"""What stands for a word or two of the documentation when an answer rewords it."""

OPENERS = (
    "Good question.",
    "Happy to help with that.",
    "Thanks for asking, this comes up a lot.",
    "Here is a quick summary of what I found.",
    "The short version goes like this.",
    "Sure, let me walk you through it.",
)
LINKS = (
    "In other words,",
    "Note that",
    "In addition,",
    "Keep in mind:",
    "On top of that,",
    "As a rule,",
    "In practice,",
    "Also,",
)
ASIDES = (
    ", which is usually what you want",
    ", so plan for it early on",
    ", as most people expect",
    ", and that is easy to overlook",
    ", at least in an ordinary set-up",
    ", which tends to surprise newcomers",
    ", if I understand your situation correctly",
)
CLOSERS = (
    "Let me know if you would like an example.",
    "Hope this helps!",
    "That ought to cover the usual case.",
    "Tell me more about your environment if it does not work.",
    "I can go into more detail if useful.",
    "Feel free to ask a follow-up question.",
)
NOT_FOUND = (
    "I could not find anything about this in the documentation.",
    "The documentation does not seem to cover that. Could you rephrase the question?",
)
INVENTED = (
    "Open the Preferences dialog, choose Advanced and tick Turbo Mode.",
    "This feature was contributed by the community in spring and is enabled for premium plans.",
    "Most teams simply call support on weekdays and receive an activation voucher by e-mail.",
    "Benchmarks published last summer confirm a ninefold improvement on commodity laptops.",
    "Install the companion browser extension, then sign in through the mobile application.",
    "Historically this went through Zookeeper, which you can still tune with a Groovy snippet.",
    "The wizard guides you across seven colourful screens and ends with a celebratory animation.",
    "Remember to register your serial code within a fortnight to unlock unlimited seats.",
    "Internally a neural planner predicts the optimum and rewrites your spreadsheet accordingly.",
    "Experts recommend turning the laptop off overnight and clearing cookies every Friday.",
)
"""Sentences that nothing in the documentation supports."""

FOLLOW_UPS = ("And ", "One more thing: ", "OK, thanks. ", "Related to that: ", "")
COMPLAINTS = ("This did not answer my question.", "Not what I asked.", "Wrong page?")
