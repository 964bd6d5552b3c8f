#include "tests/unit/settings/settings_fixture.h"

namespace weir {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

TEST_F(SettingsTest, LeavesDefaultsAloneWhereNothingIsGiven) {
  ASSERT_TRUE(read({}));
  EXPECT_EQ(max_clients, 10);
  EXPECT_EQ(queue_bytes, 4 << 20);
  EXPECT_EQ(linger, std::chrono::seconds(120));
  EXPECT_EQ(listen, "127.0.0.1:8080");
  EXPECT_THAT(record, ElementsAre("stream*"));
  EXPECT_FALSE(end);
}

TEST_F(SettingsTest, ReadsEachKindFromFlags) {
  const auto outcome = read({"--max-clients", "7", "--queue-bytes=64K", "--linger-seconds", "9",
                             "--retry-ms=0", "--listen", ":80", "--record", "a*", "--record=b", "--end",
                             "--colour", "green", "--log-level=warn", "input.log"});
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_EQ(max_clients, 7);
  EXPECT_EQ(queue_bytes, 65'536);
  EXPECT_EQ(linger, std::chrono::seconds(9));
  EXPECT_EQ(retry, std::chrono::milliseconds(0));
  EXPECT_EQ(listen, ":80");
  EXPECT_THAT(record, ElementsAre("a*", "b"));
  EXPECT_TRUE(end);
  EXPECT_EQ(colour, Colour::kGreen);
  EXPECT_EQ(level, LogLevel::kWarning);
  EXPECT_EQ(file_name, "input.log");
}

TEST_F(SettingsTest, ReadsEachKindFromTheEnvironment) {
  const auto outcome = read(
      {}, {"WEIR_MAX_CLIENTS=7", "WEIR_QUEUE_BYTES=2MiB", "WEIR_LINGER_SECONDS=9", "WEIR_RECORD=a*, b ,,c",
           "WEIR_END=yes", "WEIR_COLOUR=green", "WEIR_FILE=input.log", "HOME=/root"});
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_EQ(max_clients, 7);
  EXPECT_EQ(queue_bytes, 2 << 20);
  EXPECT_EQ(linger, std::chrono::seconds(9));
  EXPECT_THAT(record, ElementsAre("a*", "b", "c"));
  EXPECT_TRUE(end);
  EXPECT_EQ(colour, Colour::kGreen);
  EXPECT_EQ(file_name, "input.log");
  EXPECT_THAT(outcome->warnings, IsEmpty());
}

TEST_F(SettingsTest, TakesAFlagOverAVariableOverTheFileOverTheDefault) {
  const auto config = file("max-clients = 1\nlinger-seconds = 2\nretry-ms = 3\n");
  const auto outcome =
      read({"--config", config, "--max-clients", "5"}, {"WEIR_MAX_CLIENTS=6", "WEIR_LINGER_SECONDS=7"});
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_EQ(max_clients, 5);
  EXPECT_EQ(linger, std::chrono::seconds(7));
  EXPECT_EQ(retry, std::chrono::milliseconds(3));
  EXPECT_EQ(outcome->sources.at("max-clients"), "the flag --max-clients");
  EXPECT_EQ(outcome->sources.at("linger-seconds"), "the environment variable WEIR_LINGER_SECONDS");
  EXPECT_EQ(outcome->sources.at("retry-ms"), config + ":3");
  EXPECT_FALSE(outcome->sources.contains("queue-bytes"));
}

TEST_F(SettingsTest, NamesTheSettingItsValueItsSourceAndTheRangeInOneLine) {
  EXPECT_EQ(error_of({"--max-clients", "1001"}),
            "max-clients = \"1001\" (the flag --max-clients): must be a whole number, 0 to 1000 clients");
  EXPECT_EQ(error_of({}, {"WEIR_LINGER_SECONDS=0"}),
            "linger-seconds = \"0\" (the environment variable WEIR_LINGER_SECONDS): must be a whole number, "
            "1 to 3600 s");
  const auto config = file("\n\nqueue-bytes = 1\n");
  EXPECT_EQ(error_of({"--config", config}),
            "queue-bytes = \"1\" (" + config +
                ":3): must be a number of bytes such as 65536, 64K or 1M, 1 KiB to "
                "1024 GiB");
  EXPECT_EQ(error_of({"--colour=blue"}), "colour = \"blue\" (the flag --colour): must be red or green");
  EXPECT_EQ(error_of({"--log-level=x"}),
            "log-level = \"x\" (the flag --log-level): must be debug, info, warning, error or off");
  EXPECT_EQ(error_of({"--record", "a", "--record", "b c"}),
            "record = \"b c\" (the flag --record): must have no space");
  EXPECT_EQ(error_of({"--log-level=two\nlines"}),
            "log-level = \"two\\nlines\" (the flag --log-level): must be debug, info, warning, error or off");
}

TEST_F(SettingsTest, RefusesAPathThatIsNotOneLine) {
  std::string path = "before";
  const auto error = Setting::text("key-file", path, "A file.").set({"a\r\nb"}, "--key-file");
  ASSERT_TRUE(error);
  EXPECT_EQ(error->message,
            "key-file = \"a\\r\\nb\" (--key-file): must be a path without control characters");
  EXPECT_EQ(path, "before");
}

TEST_F(SettingsTest, RefusesWhatIsNotAWholeNumber) {
  for (const char* text : {"-5", "-1", "+5", "5x", "x", "1.5", "1e2", "nan", "inf", "0x10", " 5", "5 ",
                           "1,000", "5K", "18446744073709551616", "99999999999999999999999999", ""}) {
    const auto before = max_clients;
    EXPECT_THAT(error_of({"--max-clients", text}), StartsWith("max-clients = ")) << text;
    EXPECT_EQ(max_clients, before);
  }
}

TEST_F(SettingsTest, TakesBytesWithSuffixes) {
  const std::vector<std::pair<std::string, std::size_t>> good = {
      {"1024", 1024},    {"1025 B", 1025}, {"64k", 65'536},    {"64K", 65'536},     {"64KB", 65'536},
      {"64KiB", 65'536}, {"3m", 3 << 20},  {"3MB", 3 << 20},   {"3MiB", 3 << 20},   {"3 MiB", 3 << 20},
      {"3Mi", 3 << 20},  {"64Ki", 65'536}, {"2G", 2ULL << 30}, {"2gb", 2ULL << 30}, {"2GiB", 2ULL << 30}};
  for (const auto& [text, bytes] : good) {
    EXPECT_EQ(error_of({"--queue-bytes", text}), "no error") << text;
    EXPECT_EQ(queue_bytes, bytes) << text;
  }
  for (const char* text : {"", "K", "B", "64X", "64BB", "64KX", "64KiBs", "64i", "64KI B", "-64K", "1.5M",
                           "64  K", "64 ", "17179869184G", "18446744073709551615K", "1023"}) {
    EXPECT_THAT(error_of({"--queue-bytes", text}), StartsWith("queue-bytes = ")) << text;
  }
}

TEST_F(SettingsTest, TakesBooleansInTheUsualWords) {
  for (const char* text : {"true", "1", "yes", "on"}) {
    end = false;
    EXPECT_EQ(error_of({}, {std::string("WEIR_END=") + text}), "no error");
    EXPECT_TRUE(end) << text;
  }
  EXPECT_EQ(error_of({"--end=false"}, {"WEIR_END=true"}), "no error");
  EXPECT_FALSE(end);
  EXPECT_EQ(error_of({}, {"WEIR_END=perhaps"}),
            "end = \"perhaps\" (the environment variable WEIR_END): must be true or false");
  EXPECT_EQ(error_of({"--end=perhaps"}), "end = \"perhaps\" (the flag --end): must be true or false");
}

TEST_F(SettingsTest, CountsAnEmptyVariableAsNotSet) {
  const auto outcome =
      read({}, {"WEIR_LISTEN=", "WEIR_MAX_CLIENTS=", "WEIR_RECORD=", "WEIR_CONFIG=", "WEIR_NO_SUCH="});
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_EQ(listen, "127.0.0.1:8080");
  EXPECT_EQ(max_clients, 10);
  EXPECT_THAT(record, ElementsAre("stream*"));
  EXPECT_THAT(outcome->warnings, IsEmpty());
}

TEST_F(SettingsTest, TakesAnEmptyFlagAsEmpty) {
  ASSERT_EQ(error_of({"--listen=", "--record", "", "--end"}, {"WEIR_RECORD=a"}), "no error");
  EXPECT_EQ(listen, "");
  EXPECT_THAT(record, IsEmpty());
  EXPECT_TRUE(end) << "a flag after --listen= is not its value";
}

TEST_F(SettingsTest, LetsTheLastOfAFlagGivenTwiceCount) {
  ASSERT_EQ(error_of({"--max-clients", "1", "--max-clients", "2"}), "no error");
  EXPECT_EQ(max_clients, 2);
}

TEST_F(SettingsTest, TakesValuesWithBracketsAndDashesAsTheyAre) {
  ASSERT_EQ(error_of({"--listen", "[::1]", "--record", "[a,b]", "--log-level=info", "--", "-x"}), "no error");
  EXPECT_EQ(listen, "[::1]");
  EXPECT_THAT(record, ElementsAre("[a,b]"));
  EXPECT_EQ(file_name, "-x");
}

TEST(PositionalList, TakesAllArgumentsWithoutAFlag) {
  const auto files_of = [](std::vector<const char*> words, std::vector<const char*> variables = {}) {
    std::vector<std::string> files;
    bool end = false;
    SettingsTable table("weir-test", "Tries a list.");
    table.positional(Setting::list("file", files, "What to read.").required());
    table.section("More", {Setting::flag("end", end, "End.")});
    words.insert(words.begin(), "weir-test");
    variables.push_back(nullptr);
    const auto outcome = table.read(static_cast<int>(words.size()), words.data(), variables.data());
    if (!outcome) files = {outcome.error().message};
    return files;
  };
  using Files = std::vector<std::string>;
  EXPECT_EQ(files_of({"a", "--end", "b c", "-"}), (Files{"a", "b c", "-"}));
  EXPECT_EQ(files_of({"--file", "a", "--file=b"}), (Files{"a", "b"}));
  EXPECT_EQ(files_of({"--end", "--", "--odd", "a"}), (Files{"--odd", "a"}));
  EXPECT_EQ(files_of({}, {"WEIR_FILE=a,b"}), (Files{"a", "b"}));
  EXPECT_NE(files_of({"--end"}).front().find("file"), std::string::npos);
  EXPECT_NE(files_of({"a", "--ned"}).front().find("--ned"), std::string::npos);
}

TEST_F(SettingsTest, RefusesUnknownFlagsWithoutTheirValues) {
  const auto error = error_of({"--redis-pasword", "secret"});
  EXPECT_THAT(error, AllOf(HasSubstr("--redis-pasword: no such flag"), Not(HasSubstr("secret"))));
  EXPECT_THAT(error_of({"--redis-pasword=secret"}),
              AllOf(HasSubstr("--redis-pasword: no such flag"), Not(HasSubstr("secret"))));
  EXPECT_THAT(error_of({"-x"}), HasSubstr("-x: no such flag"));
  EXPECT_THAT(error_of({"first", "secret"}),
              AllOf(HasSubstr("more than expected"), Not(HasSubstr("secret"))));
}

TEST_F(SettingsTest, SaysInOneLineWhatIsWrongWithNamesOfSeveral) {
  EXPECT_EQ(error_of({"--max\r\nclients=1"}), "--max\\r\\nclients: no such flag; --help lists them");
  EXPECT_THAT(error_of({"--config", file("\"a\\nb\" = 1\n")}), testing::StartsWith("a\\nb ("));
  const auto outcome = read({}, {"WEIR_A\nB=1"});
  ASSERT_TRUE(outcome);
  EXPECT_THAT(outcome->warnings,
              testing::ElementsAre(testing::StartsWith("the environment variable WEIR_A\\nB is no setting")));
}

TEST_F(SettingsTest, RefusesAFlagWithoutItsValue) {
  EXPECT_THAT(error_of({"--end", "--listen"}), StartsWith("--listen: needs a value"));
  EXPECT_THAT(error_of({"--listen", "--end"}), StartsWith("--listen: needs a value"));
  EXPECT_THAT(error_of({"--file"}), HasSubstr("file: needs a value"));
}

TEST_F(SettingsTest, WarnsOfVariablesThatAreNoSettings) {
  const auto outcome = read({}, {"WEIR_QUEUE_BYTE=1", "WEIR_SOMETHING_ELSE=secret", "WEIRD=1"});
  ASSERT_TRUE(outcome);
  EXPECT_THAT(
      outcome->warnings,
      ElementsAre("the environment variable WEIR_QUEUE_BYTE is no setting; did you mean WEIR_QUEUE_BYTES?",
                  "the environment variable WEIR_SOMETHING_ELSE is no setting"));
}

TEST_F(SettingsTest, NeverRepeatsAPassword) {
  for (const char* url :
       {"rediss://user:secret@host:1", "http://:secret@host", "redis:/user:secret@host", "user:secret@host",
        "http://user:secret", "http://secret@host", "http://u:secret@word@host", "http://u:pa/secret",
        "http://host?password=secret", "http://:p@host/0?password=secret", "http://host?password=p@secret"}) {
    EXPECT_THAT(error_of({"--redis-url", url}), AllOf(StartsWith("redis-url = "), Not(HasSubstr("secret"))))
        << url;
  }
  EXPECT_THAT(error_of({"--redis-url", "http://host:6379/0"}), HasSubstr("\"http://host:6379/0\""));
  EXPECT_THAT(error_of({"--redis-password", "xyz"}), Not(HasSubstr("xyz")));

  redis_url = "redis://user:secret@host";
  password = "secret";
  EXPECT_THAT(table().help(), AllOf(HasSubstr("redis://***@host"), Not(HasSubstr("secret"))));
  EXPECT_THAT(table().markdown(), Not(HasSubstr("secret")));
}

TEST_F(SettingsTest, AsksForWhatIsRequired) {
  std::string to;
  SettingsTable table("weir-test", "Needs a target.");
  table.section("Where to", {Setting::text("to", to, "Where to.").required()});
  const char* const none[] = {"weir-test"};
  EXPECT_EQ(table.read(1, none, nullptr).error().message,
            "to: is required; set it with --to, WEIR_TO or in the file of --config");
  const char* const empty[] = {"weir-test", "--to", ""};
  EXPECT_EQ(table.read(3, empty, nullptr).error().message, "to = \"\" (the flag --to): must not be empty");
  const char* const some[] = {"weir-test", "--to", "x"};
  EXPECT_TRUE(table.read(3, some, nullptr));
  EXPECT_EQ(to, "x");
}

TEST_F(SettingsTest, HelpListsNameVariableRangeUnitAndDefault) {
  for (const char* flag : {"--help", "-h"}) {
    const auto outcome = read({flag}, {"WEIR_MAX_CLIENTS=junk"});
    ASSERT_TRUE(outcome && outcome->text);
    EXPECT_THAT(*outcome->text,
                AllOf(HasSubstr("Usage: weir-test [flags] [FILE]\n"),
                      HasSubstr("  --max-clients, WEIR_MAX_CLIENTS (0 to 1000 clients; default 10 clients)\n "
                                "     How many.\n"),
                      HasSubstr("--queue-bytes, WEIR_QUEUE_BYTES (1 KiB to 1024 GiB; default 4 MiB)\n"),
                      HasSubstr("--linger-seconds, WEIR_LINGER_SECONDS (1 to 3600 s; default 120 s)\n"),
                      HasSubstr("--record, WEIR_RECORD (repeatable; default stream*)\n"),
                      HasSubstr("--colour, WEIR_COLOUR (red or green; default red)\n"),
                      HasSubstr("--config, WEIR_CONFIG\n"), HasSubstr("1024"), HasSubstr("[[rule]]")));
  }
}

TEST_F(SettingsTest, HelpListsTheKeysThatTablesAloneHave) {
  EXPECT_THAT(table().help(), HasSubstr("[[rule]] in the TOML file:\n      What differs.\n"
                                        "  loud (default false)\n      Whether a | is heard.\n"));
  EXPECT_THAT(table().markdown(), HasSubstr("| `loud` | `false` |  | Whether a \\| is heard. |\n"));
}

TEST_F(SettingsTest, TellsTheValuesInOneSpelling) {
  const auto path = file("retry-ms = 7\n");
  const auto outcome =
      read({"--queue-bytes=8M", "--record=a", "--record=b", "--colour=green", "--log-level=trace", "--end",
            "--listen=:1", "--redis-url=redis://:secret@a", "--config", path, "here"});
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_EQ(outcome->config_path, path);
  const auto values = table().values();
  EXPECT_THAT(values, testing::IsSupersetOf(std::vector<std::pair<const std::string, std::string>>{
                          {"file", "here"},
                          {"max-clients", "10"},
                          {"queue-bytes", "8388608"},
                          {"linger-seconds", "120"},
                          {"retry-ms", "7"},
                          {"listen", ":1"},
                          {"redis-url", "redis://:secret@a"},
                          {"record", "a\nb\n"},
                          {"end", "true"},
                          {"colour", "green"},
                          {"log-level", "debug"}}));
}

TEST_F(SettingsTest, TellsTheVersion) {
  const auto outcome = read({"--version"});
  ASSERT_TRUE(outcome && outcome->text);
  EXPECT_EQ(*outcome->text, std::string("weir-test ") + kVersion + "\n");
}

}  // namespace
}  // namespace weir
