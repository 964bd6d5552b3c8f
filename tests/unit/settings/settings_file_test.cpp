#include "tests/unit/settings/settings_fixture.h"

namespace weir {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

using SettingsFile = SettingsTest;

TEST_F(SettingsFile, ReadsEachKind) {
  const auto config = file(R"(
max-clients = 7
queue-bytes = "64K"
linger-seconds = 9
listen = ":80"
record = ["a*", "b"]
end = true
colour = "green"
file = "input.log"
)");
  ASSERT_EQ(error_of({}, {"WEIR_CONFIG=" + config}), "no error");
  EXPECT_EQ(max_clients, 7);
  EXPECT_EQ(queue_bytes, 65'536);
  EXPECT_EQ(linger, std::chrono::seconds(9));
  EXPECT_EQ(listen, ":80");
  EXPECT_THAT(record, ElementsAre("a*", "b"));
  EXPECT_TRUE(end);
  EXPECT_EQ(colour, Colour::kGreen);
  EXPECT_EQ(file_name, "input.log");
}

TEST_F(SettingsFile, TakesOneStringForAListAndAnEmptyArrayForNone) {
  ASSERT_EQ(error_of({"--config", file("record = \"a*\"\n")}), "no error");
  EXPECT_THAT(record, ElementsAre("a*"));
  ASSERT_EQ(error_of({"--config", file("record = []\n")}), "no error");
  EXPECT_THAT(record, IsEmpty());
}

TEST_F(SettingsFile, ReadsEveryTableOfTheSameName) {
  const auto config = file(R"(
queue-bytes = 2048
[[rule]]
match = "a*"
queue-bytes = "1M"
[[rule]]
match = "b*"
)");
  ASSERT_EQ(error_of({"--config", config, "--queue-bytes", "4096"}), "no error");
  ASSERT_EQ(rules.size(), 2);
  EXPECT_EQ(rules[0].match, "a*");
  EXPECT_EQ(rules[0].queue_bytes, 1 << 20);
  EXPECT_EQ(rules[1].match, "b*");
  EXPECT_EQ(rules[1].queue_bytes, 4'096) << "left out, so the setting of the same name";
}

TEST_F(SettingsFile, NotesWhetherATableHasAKey) {
  const auto config = file("[[rule]]\nmatch = \"a\"\nloud = false\n[[rule]]\nmatch = \"b\"\n");
  ASSERT_EQ(error_of({"--config", config}), "no error");
  ASSERT_EQ(rules.size(), 2);
  EXPECT_FALSE(rules[0].is_loud);
  EXPECT_TRUE(rules[0].names_loud);
  EXPECT_FALSE(rules[1].names_loud);
}

TEST_F(SettingsFile, RefusesUnknownKeysAndTables) {
  const auto misspelt = file("queue-byte = 1\n");
  EXPECT_EQ(error_of({"--config", misspelt}),
            "queue-byte (" + misspelt + ":1): no such setting; did you mean queue-bytes?");
  const auto in_table = file("[[rule]]\nmatch = \"a\"\nlisten = \"x\"\n");
  EXPECT_EQ(error_of({"--config", in_table}), "listen (" + in_table + ":3): no such key of [[rule]]");
  const auto table = file("[[rules]]\nmatch = \"a\"\n");
  EXPECT_EQ(error_of({"--config", table}), "[[rules]] (" + table + ":1): no such table");
  const auto nested = file("[queue]\nbytes = 1\n");
  EXPECT_EQ(error_of({"--config", nested}), "queue (" + nested + ":1): no such setting");
  EXPECT_THAT(error_of({"--config", file("config = \"x\"\n")}), HasSubstr("no such setting"));
}

TEST_F(SettingsFile, RefusesATableWithoutWhatIsRequiredOrOutOfRange) {
  const auto config = file("[[rule]]\nqueue-bytes = 2048\n");
  EXPECT_EQ(error_of({"--config", config}), "match (" + config + ":1): is required in each [[rule]]");
  const auto small = file("[[rule]]\nmatch = \"a\"\nqueue-bytes = 1\n");
  EXPECT_THAT(error_of({"--config", small}), StartsWith("queue-bytes = \"1\" (" + small + ":3): must be"));
}

TEST_F(SettingsFile, SaysHowATableIsWritten) {
  const auto config = file("[rule]\nmatch = \"a\"\n");
  EXPECT_EQ(error_of({"--config", config}), "rule (" + config + ":1): is written as [[rule]]");
}

TEST_F(SettingsFile, RefusesValuesOfTheWrongType) {
  for (const char* line :
       {"max-clients = 1.0", "max-clients = true", "max-clients = [1]", "max-clients = {a = 1}",
        "max-clients = 2020-01-01", "max-clients = -1", "max-clients = nan"}) {
    EXPECT_THAT(error_of({"--config", file(line)}),
                AllOf(StartsWith("max-clients = "), HasSubstr(":1): must be a whole number")))
        << line;
  }
  EXPECT_THAT(error_of({"--config", file("listen = 80")}), HasSubstr("must be a string"));
  EXPECT_THAT(error_of({"--config", file("listen = [\"a\"]")}), HasSubstr("must be a string"));
  EXPECT_THAT(error_of({"--config", file("record = [1, 2]")}), HasSubstr("must be an array of strings"));
  EXPECT_THAT(error_of({"--config", file("record = [\"a\", 2]")}), HasSubstr("must be an array of strings"));
  EXPECT_THAT(error_of({"--config", file("end = 1")}), HasSubstr("must be true or false"));
}

TEST_F(SettingsFile, SaysWhyAFileCanNotBeRead) {
  const auto missing = testing::TempDir() + "no-such-weir.toml";
  EXPECT_EQ(error_of({"--config", missing}),
            "config: \"" + missing + "\": can't be read: No such file or directory");
  EXPECT_THAT(error_of({"--config", testing::TempDir()}), HasSubstr("is no regular file"));
  const auto broken = file("max-clients = 1\nlisten = = 2\n");
  EXPECT_THAT(error_of({"--config", broken}), StartsWith("config: " + broken + ":2: is not TOML: "));
  EXPECT_THAT(error_of({"--config", file("max-clients = 1\nmax-clients = 2\n")}),
              HasSubstr(":2: is not TOML: "));
  EXPECT_THAT(error_of({"--config", file(std::string(5 << 20, '#'))}), HasSubstr("is longer than 4 MiB"));
}

TEST_F(SettingsFile, NeverRepeatsAPassword) {
  EXPECT_THAT(error_of({"--config", file("redis-url = \"http://u:secret@h\"\n")}), Not(HasSubstr("secret")));
  EXPECT_THAT(error_of({"--config", file("redis-url = redis://u:secret@h\n")}),
              AllOf(HasSubstr("is not TOML"), Not(HasSubstr("secret"))));
  EXPECT_THAT(error_of({"--config", file("redis-password = 123\n")}), Not(HasSubstr("123")));
}

}  // namespace
}  // namespace weir
