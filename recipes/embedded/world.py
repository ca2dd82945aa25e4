"""The small world that every training text is about: people, places, things, two languages.

Why one world: a model of 4 M parameters can know a thousand words well, or all words badly. The
tables are plain data; the families (``families/``) make sentences of them.

    >>> NOUNS["lamp"].plural, NOUNS["lamp"].swedish
    ('lamps', 'lampa')
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Noun:
    """A countable thing: English forms, class, and Swedish forms where the world knows them."""

    word: str
    plural: str
    kind: str
    swedish: str | None = None
    neuter: bool = False
    swedish_definite: str | None = None


@dataclass(frozen=True)
class Verb:
    """English base, third person and past; Swedish present and past where known."""

    base: str
    third: str
    past: str
    present_sv: str | None = None
    past_sv: str | None = None


@dataclass(frozen=True)
class Adjective:
    """English word, its opposite, and the Swedish common, neuter and definite forms."""

    word: str
    opposite: str
    common: str
    neuter: str
    definite: str


# kind: word[/plural][=swedish,gender(t or n),definite]
_NOUN_TABLE = """
fruit: apple=äpple,n,äpplet pear=päron,n,päronet plum=plommon,n,plommonet orange=apelsin,t,apelsinen
fruit: lemon=citron,t,citronen banana=banan,t,bananen
fruit: cherry/cherries=körsbär,n,körsbäret melon=melon,t,melonen
fruit: grape=druva,t,druvan peach/peaches=persika,t,persikan
animal: dog=hund,t,hunden cat=katt,t,katten horse=häst,t,hästen cow=ko,t,kon bird=fågel,t,fågeln
animal: mouse/mice=mus,t,musen bear=björn,t,björnen fox/foxes=räv,t,räven
animal: pig=gris,t,grisen goat=get,t,geten
animal: rabbit=kanin,t,kaninen duck=anka,t,ankan hen=höna,t,hönan wolf/wolves=varg,t,vargen
tool: hammer=hammare,t,hammaren saw=såg,t,sågen knife/knives=kniv,t,kniven
tool: shovel=spade,t,spaden rope=rep,n,repet
tool: nail=spik,t,spiken screw=skruv,t,skruven brush/brushes=borste,t,borsten ladder=stege,t,stegen
tool: axe=yxa,t,yxan bucket=hink,t,hinken drill=borr,t,borren
furniture: chair=stol,t,stolen table=bord,n,bordet lamp=lampa,t,lampan
furniture: bed=säng,t,sängen sofa=soffa,t,soffan
furniture: shelf/shelves=hylla,t,hyllan mirror=spegel,t,spegeln
furniture: carpet=matta,t,mattan desk=skrivbord,n,skrivbordet
furniture: clock=klocka,t,klockan cupboard=skåp,n,skåpet bench/benches=bänk,t,bänken
clothing: coat=kappa,t,kappan hat=hatt,t,hatten shirt=skjorta,t,skjortan
clothing: shoe=sko,t,skon glove=handske,t,handsken
clothing: scarf/scarves=halsduk,t,halsduken dress/dresses=klänning,t,klänningen
clothing: sock=strumpa,t,strumpan
clothing: jacket=jacka,t,jackan belt=bälte,n,bältet sweater=tröja,t,tröjan skirt=kjol,t,kjolen
food: cake=kaka,t,kakan egg=ägg,n,ägget cheese=ost,t,osten soup=soppa,t,soppan sausage=korv,t,korven
food: sandwich/sandwiches=smörgås,t,smörgåsen potato/potatoes=potatis,t,potatisen
food: carrot=morot,t,moroten
food: onion=lök,t,löken pie=paj,t,pajen biscuit=kex,n,kexet pancake=pannkaka,t,pannkakan
vehicle: car=bil,t,bilen bus/buses=buss,t,bussen train=tåg,n,tåget
vehicle: boat=båt,t,båten bicycle=cykel,t,cykeln
vehicle: truck=lastbil,t,lastbilen tram=spårvagn,t,spårvagnen plane=flygplan,n,flygplanet
vehicle: ship=skepp,n,skeppet tractor=traktor,t,traktorn
kitchenware: cup=kopp,t,koppen plate=tallrik,t,tallriken bowl=skål,t,skålen spoon=sked,t,skeden
kitchenware: fork=gaffel,t,gaffeln pan=panna,t,pannan
kitchenware: kettle=kittel,t,kitteln glass/glasses=glas,n,glaset
kitchenware: pot=gryta,t,grytan oven=ugn,t,ugnen jug=kanna,t,kannan tray=bricka,t,brickan
gear: book=bok,t,boken pen=penna,t,pennan letter=brev,n,brevet
gear: map=karta,t,kartan key=nyckel,t,nyckeln
gear: bag=väska,t,väskan phone=telefon,t,telefonen radio=radio,t,radion camera=kamera,t,kameran
gear: ticket=biljett,t,biljetten newspaper=tidning,t,tidningen umbrella=paraply,n,paraplyet
job: teacher=lärare,t,läraren doctor=läkare,t,läkaren baker=bagare,t,bagaren farmer=bonde,t,bonden
job: driver=förare,t,föraren painter=målare,t,målaren
job: sailor=sjöman,t,sjömannen singer=sångare,t,sångaren
job: nurse cook=kock,t,kocken pilot=pilot,t,piloten clerk gardener waiter/waiters
instrument: piano violin drum flute guitar trumpet harp organ cello banjo
plant: oak pine rose tulip fern daisy/daisies lily/lilies willow cactus/cacti bush/bushes
body: hand foot/feet arm leg nose ear eye tooth/teeth knee finger
toy: ball doll kite puzzle robot drumstick marble balloon swing yo-yo
"""

_VERB_TABLE = """
buy buys bought köper köpte
sell sells sold säljer sålde
see sees saw ser såg
find finds found hittar hittade
carry carries carried bär bar
wash washes washed tvättar tvättade
paint paints painted målar målade
take takes took tar tog
need needs needed behöver behövde
like likes liked gillar gillade
lose loses lost tappar tappade
draw draws drew ritar ritade
fetch fetches fetched hämtar hämtade
bring brings brought - -
make makes made - -
eat eats ate - -
drink drinks drank - -
write writes wrote - -
break breaks broke - -
give gives gave - -
send sends sent - -
hold holds held - -
build builds built - -
keep keeps kept - -
clean cleans cleaned - -
open opens opened - -
close closes closed - -
move moves moved - -
mend mends mended - -
hide hides hid - -
choose chooses chose - -
throw throws threw - -
catch catches caught - -
"""

_ADJECTIVE_TABLE = """
big small stor stort stora
small big liten litet lilla
new old ny nytt nya
old new gammal gammalt gamla
red - röd rött röda
blue - blå blått blåa
green - grön grönt gröna
white black vit vitt vita
black white svart svart svarta
yellow - gul gult gula
heavy light tung tungt tunga
warm cold varm varmt varma
cold warm kall kallt kalla
clean dirty ren rent rena
dirty clean smutsig smutsigt smutsiga
cheap expensive billig billigt billiga
expensive cheap dyr dyrt dyra
long short lång långt långa
short long kort kort korta
beautiful ugly vacker vackert vackra
broken whole trasig trasigt trasiga
"""

OPPOSITES = dict(
    pair.split("/")
    for pair in """big/small new/old white/black heavy/light warm/cold clean/dirty cheap/expensive
    long/short beautiful/ugly broken/whole early/late happy/sad fast/slow open/closed full/empty
    wet/dry high/low loud/quiet rich/poor young/old strong/weak hard/soft near/far
    thick/thin""".split()
)

FIRST_NAMES = """Anna Tom Erik Maja Lisa Oskar Nina Karl Eva Hugo Sara Johan Ida Emil Klara Per Rosa
Leo Maria Adam Elsa Viktor Julia David Stina Felix Hanna Simon Alma Otto Vera Ivan Greta Noah Linda
Paul Signe Max Olga Lars Molly Ben Agnes Theo Dina Axel Wilma Fred Amina Samir""".split()
LAST_NAMES = """Berg Lind Holm Ek Dahl Lund Sand Falk Norén Ström Björk Vik Hall Roth Wik Frost Moss
Lake Stone Hill Ford Reed Marsh Cole Nash Boyd West Wood Park Bell Alm Kvist Rask Hedin Palm Sjö
Varga Novak Silva Okafor Haddad Tanaka""".split()
TOWNS = """Norby Alby Sundvik Ekdal Hamra Lindholm Fiskeby Kullen Storvik Almö Granby Tallberg
Vreta Mosås Bruket Solna Kilby Rosen Dalen Havsby""".split()
PLACES = """station market library school park harbour café museum church bridge bakery cinema
garage garden kitchen hall office farm beach shop""".split()
PLACE_SV = {
    "in the garden": "i trädgården", "in the kitchen": "i köket", "at the market": "på marknaden",
    "at school": "i skolan", "in the park": "i parken", "in the shop": "i affären",
    "in the library": "på biblioteket", "at the station": "på stationen",
    "in the harbour": "i hamnen", "on the farm": "på gården",
}  # fmt: skip
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
ACTIVITIES = tuple(
    """have lunch/play cards/go fishing/drink coffee/watch a film/play football/go swimming/
bake bread/practise music/walk the dogs/look at pictures/read together""".replace("\n", "").split(
        "/"
    )
)
FAULTS = tuple(
    """broken/too small/too big/the wrong colour/dirty/scratched/late/too loud/missing a part/torn/
bent/leaking""".replace("\n", "").split("/")
)


def _read_nouns() -> dict[str, Noun]:
    nouns: dict[str, Noun] = {}
    for line in _NOUN_TABLE.strip().splitlines():
        kind, rest = line.split(": ")
        for entry in rest.split():
            english, _, swedish = entry.partition("=")
            word, _, plural = english.partition("/")
            if swedish:
                indefinite, gender, definite = swedish.split(",")
                nouns[word] = Noun(
                    word, plural or word + "s", kind, indefinite, gender == "n", definite
                )
            else:
                nouns[word] = Noun(word, plural or word + "s", kind)
    return nouns


def _read_verbs() -> dict[str, Verb]:
    rows = [line.split() for line in _VERB_TABLE.strip().splitlines()]
    return {
        r[0]: Verb(r[0], r[1], r[2], None if r[3] == "-" else r[3], None if r[4] == "-" else r[4])
        for r in rows
    }


NOUNS = _read_nouns()
VERBS = _read_verbs()
ADJECTIVES = {
    r[0]: Adjective(*r) for r in (line.split() for line in _ADJECTIVE_TABLE.strip().splitlines())
}
KINDS: dict[str, list[str]] = {}
for _noun in NOUNS.values():
    KINDS.setdefault(_noun.kind, []).append(_noun.word)

#: Kinds whose words somebody can buy, lend or lose.
WARES = [
    word
    for kind in ("tool", "furniture", "clothing", "kitchenware", "gear", "instrument", "toy")
    for word in KINDS[kind]
]
#: Kinds that no labelling episode of the training uses; they measure binding on new classes.
HELD_OUT_KINDS = ("vehicle", "body", "instrument")


def article(word: str) -> str:
    """The word with "a" or "an" before it."""
    return ("an " if word[0] in "aeiou" else "a ") + word


def price(rng: Random) -> str:
    """An amount of money, as the shops of the world write it."""
    return f"{rng.randint(2, 99)} euros"


def clock_time(rng: Random) -> str:
    """A time of day such as "3:30"."""
    return f"{rng.randint(1, 12)}:{rng.choice(['00', '15', '30', '45'])}"


def full_name(rng: Random) -> str:
    """First and last name."""
    return f"{rng.choice(FIRST_NAMES)} {rng.choice(LAST_NAMES)}"


def two_names(rng: Random) -> tuple[str, str]:
    """Two different first names."""
    first, second = rng.sample(FIRST_NAMES, 2)
    return first, second


#: Words of every kind, in small ASCII letters: where any of them may stand, only copying helps.
WORDS = tuple(
    sorted(
        word
        for word in {
            *NOUNS,
            *(noun.plural for noun in NOUNS.values()),
            *ADJECTIVES,
            *(form for verb in VERBS.values() for form in (verb.base, verb.third, verb.past)),
            *(word for activity in ACTIVITIES for word in activity.split()),
        }
        if word.isascii() and word.isalpha() and word.islower()
    )
)
