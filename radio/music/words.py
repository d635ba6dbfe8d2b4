"""Words that tunes, songs and tracks are named with, and the patterns that put them together, by style and form."""

from __future__ import annotations

_LISTS = {
    # Folk tunes
    "merry": "Merry Jolly Bold Idle Lonely Old Young Little Wandering Drunken Laughing Sleeping Dancing Barefoot "
    "Rambling Galloping Weary Cheerful Crooked Nimble Bonny Honest Gentle Roving Silent Silver-Haired "
    "Whistling",
    "piper": "Piper Fiddler Miller Weaver Sailor Ploughman Tinker Blacksmith Shepherd Milkmaid Thatcher Cobbler "
    "Fisherman Drummer Ferryman Carter Innkeeper Widow Bachelor Schoolmaster Tailor Huntsman Cooper Mason "
    "Gardener Baker",
    "given": "Mary Molly Kitty Nancy Peggy Biddy Nora Rose Ellen Johnny Paddy Jack Tom Michael Larry Denis Billy "
    "Peter Hugh Martin Sally Jenny Maggie Annie Brian Colin",
    "family": "Dunmore Callow Farrell Brannagh Tully Keogh Lanigan Mulroy Rafter Hartnell Corrigan Devaney "
    "Shaughran Killoran Mackey Gilroy Fallon Cardew Breslin Redmayne Ormsby Tarrant",
    "town": "Ballinroe Carrickmore Kilbrannan Dunloe Clonard Glenmoyle Rathconnell Drumkeel Lisnagar Ardcorran "
    "Knockbeg Tullamore Inishcarn Strathgarve Loch~Arran Glen~Orrin Hartsworth Millbrook Castle~Lorne "
    "Ravenglen",
    "spot": "Road Bridge Banks Hills Lasses Lads Rose Harvest Ferry Mill Glen Pride Fields Shores Market Bells "
    "Groves Fair",
    "fancy": "Fancy Delight Ramble Frolic Favourite Return Farewell Wedding Dream Choice Rant Welcome Jaunt Maggot",
    # Ragtime
    "bloom": "Magnolia Sycamore Peach Clover Jasmine Hickory Cherry Poppy Sugar Ginger Lemon Walnut Dandelion "
    "Cotton Honeysuckle Buttercup Maple Willow Pecan Chestnut Juniper Molasses Sassafras Marigold",
    "street": "Street Alley Avenue River Parlor Porch Landing Junction Depot Levee Sunday Blossom Carnival Parade "
    "Stomp Promenade Corner Picnic Breeze Whistle Shuffle Crossing Delight Ribbon",
    # Songs of the early century
    "sweet": "Sweet Lonesome Golden Moonlit Gentle Dreamy Faithful Rosy Velvet Starlit Wistful Tender Silvery Breezy",
    "place": "Savannah Broadway Memphis Chicago Carolina Havana Biloxi Dakota Riverside Harlem Lakeside Kansas Alabama",
    "dream": "Moon Heart Rose Lullaby Letter Lane Melody Garden Window Dream Serenade Evening River Ribbon "
    "Carousel Lantern Promise Summer Waltz Sweetheart",
    "when": "the~Lamps~Are~Low the~Band~Goes~Home Summer~Comes~Around the~River~Sings the~Lilacs~Bloom "
    "Evening~Falls the~Last~Train~Leaves the~Stars~Look~Down the~Snow~Is~Deep Tomorrow~Comes You~Smile "
    "I~Dream~of~You",
    "begin": "I'll~Wait Meet~Me~There Dance~with~Me Think~of~Me I~Sing We'll~Be~Together Hold~My~Hand Remember~Me "
    "I'll~Be~Home Call~My~Name",
    # Art songs
    "nature": "Brook Meadow Nightingale Linden Forest Evening Morning Lake Moon Swallow Willow Violet Star Valley "
    "Wind Mill Rose Autumn Spring Snow Wanderer Hunter Fisherman Spinning-Wheel Harp Nightfall",
    "mood": "Quiet Silver Distant Forgotten First Last Golden Pale Wandering Faithful Lonely Early Hidden Dreaming",
    "by": "by~the~Mill by~the~Water in~the~Forest in~Spring in~Autumn under~the~Linden at~the~Window at~Evening "
    "on~the~Lake before~the~Dawn in~the~Mountains by~Moonlight far~from~Home",
    # Games
    "realm": "Crystal Iron Sunken Emerald Frozen Pixel Shadow Thunder Copper Sky Lava Mirror Cobalt Ancient Neon "
    "Hollow Turbo Secret Clockwork Marble Starship Amber Ghost Coral",
    "level": "Caverns Fortress Gardens Ruins Harbor Tower Depths Railway Temple Circuit Outpost Foundry Canyon "
    "Archive Citadel Marsh Station Labyrinth Bridge Market Reactor Observatory Orchard Summit",
    # Lo-fi
    "soft": "Rainy Paper Slow Dusty Late Quiet Sleepy Faded Warm Cloudy Second Empty Old Borrowed Midnight "
    "Tuesday Unsent Half-Lit Lukewarm Analog Misty Porcelain",
    "room": "Window Lanterns Trains Coffee Notebook Rooftop Polaroids Cassette Balcony Library Umbrella Letters "
    "Pages Streetlight Corner Laundry Kitchen Homework Bookshop Sweater Postcards Elevator",
    # House
    "night": "Neon Velvet Chrome Magnetic Infinite Electric Golden Liquid Solar Ultraviolet Satellite Crimson "
    "Lunar Parallel Silver Tropical Phantom Hypnotic Digital Polar",
    "club": "Harbour Avenue Motion Pulse Terrace Signal Horizon District Arcade Fever Skyline Mirage Frequency "
    "Voltage Runway Echo Disco Transit Garden Boulevard",
    # Ambient
    "far": "Distant Slow Pale Weightless Northern Hollow Unfolding Glass Still Drifting Endless Soft Submerged "
    "Lunar Evaporating Deep White Silent Open Tidal",
    "expanse": "Snow Tides Meridian Lichen Harbour Nebula Vapour Horizon Estuary Aurora Glacier Shoals Cathedral "
    "Moss Constellation Fog Plateau Currents Orbit Dusk",
}
WORDS: dict[str, tuple[str, ...]] = {
    name: tuple(word.replace("~", " ") for word in words.split()) for name, words in _LISTS.items()
}
"""Lists of words by name."""

_DANCE = (
    "The {merry} {piper}'s FORM",
    "{given} {family}'s FORM",
    "The {spot} of {town} (form)",
    "{piper}'s {fancy} (form)",
)
_SONG = ("{sweet} {dream}", "{begin} When {when}", "{dream} of {place}", "My {place} {dream}", "When {when}")
_PLAIN = ("The {merry} {piper}", "{given} {family}'s {fancy}", "The {spot} of {town}", "The {piper}'s {fancy}")
PATTERNS: dict[str, dict[str, tuple[str, ...]]] = {
    "folk": {"": _PLAIN, "song": _PLAIN, "air": ("{given} {family}'s Air", "Lament for {given} {family}")}
    | {
        form: _DANCE
        for form in ("reel", "jig", "slip jig", "hornpipe", "polka", "strathspey", "march", "waltz", "country dance")
    },
    "ragtime": {
        "": ("{bloom} {street} Rag", "The {bloom} Rag"),
        "rag": ("{bloom} {street} Rag", "The {bloom} Rag"),
        "two-step": ("{bloom} {street}, a Ragtime Two-Step",),
        "march": ("{bloom} {street}, a March",),
        "waltz": ("{bloom} {street}, a Concert Waltz",),
    },
    "jazz": {
        "": _SONG,
        "song": _SONG,
        "blues": ("{place} Blues", "{sweet} {place} Blues"),
        "rag": ("{place} Rag", "{sweet} {place} Rag"),
        "waltz": ("{sweet} {dream} Waltz",),
    },
    "songbook": {"": _SONG, "song": _SONG, "waltz": ("{sweet} {dream} Waltz",)},
    "lieder": {
        form: ("The {mood} {nature}", "{nature} {by}", "To the {nature}", "The {nature} and the {nature}")
        for form in ("", "song")
    },
    "game": {"": ("{realm} {level}",)},
    "lofi": {"": ("{soft} {room}",)},
    "house": {"": ("{night} {club}",)},
    "ambient": {"": ("{far} {expanse}",)},
}
"""Patterns by style and form: {list} is a word of a list, FORM and form the form's name. Other pieces are numbered."""
