#include "broker/api/parameters.h"

#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>

namespace weir {
namespace {

std::string comments(std::string_view query, StreamRoute route = StreamRoute::kChannel) {
  return unknown_parameter_comments(parse_query(query).value(), route);
}

std::string unknown(const std::string& name) { return ": unknown parameter \"" + name + "\"\n"; }

TEST(Parameters, ThatAreKnownAreNotTold) {
  EXPECT_EQ(comments(""), "");
  EXPECT_EQ(comments("lastEventId=g1.2&last_event_id=g1.2&replay=1&since=1&form=json&access_token=x&_=1&t=2"),
            "");
  EXPECT_EQ(comments("new=a&replay.a=1&replay.user%3A42=all"), "");
  EXPECT_EQ(comments("channel=a&channel=b&replay=1&new=b&replay.b=2", StreamRoute::kEvents), "");
}

TEST(Parameters, ThatAreUnknownAreToldByTheirNamesAlone) {
  EXPECT_EQ(comments("lastid=secret"), unknown("lastid"));
  EXPECT_EQ(comments("replay=1&LastEventId=g1.2&token=secret"), unknown("LastEventId") + unknown("token"));
  EXPECT_EQ(comments("flag"), unknown("flag"));
  EXPECT_EQ(comments("news=a&replays=1"), unknown("news") + unknown("replays"));
}

TEST(Parameters, OfAnotherRouteAreUnknown) {
  EXPECT_EQ(comments("channel=a"), unknown("channel"));
  EXPECT_EQ(comments("channels=a&channel=b", StreamRoute::kEvents), unknown("channels"));
}

TEST(Parameters, ThatAreUnknownAreToldOnceAndNotBeyondTheLimit) {
  EXPECT_EQ(comments("a=1&a=2&b=1&a=3"), unknown("a") + unknown("b"));
  EXPECT_EQ(comments("a&b&c&d&e"), unknown("a") + unknown("b") + unknown("c"));
}

TEST(Parameters, NeverBecomeFieldsOfTheStream) {
  const QueryParameters hostile = {{std::string("a\ndata:x\r\n\0\xC3\xA9\x7F", 14), ""}};
  EXPECT_EQ(unknown_parameter_comments(hostile, StreamRoute::kChannel), unknown("a?data:x??????"));
  EXPECT_EQ(comments(std::string(100, 'x') + "=1"), unknown(std::string(kUnknownParameterBytesMax, 'x')));
  EXPECT_EQ(comments("%22=1&=2"), unknown("\""));
}

TEST(Parameters, ShowNoTokenThatStandsWhereANameShould) {
  EXPECT_EQ(comments("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln"), "");
  EXPECT_EQ(comments("eyJhbGciOiJIUzI1NiJ9&lastid=1"), unknown("lastid"));
}

// The list and the documentation name the same parameters, the cache busters aside.
TEST(Parameters, AreThoseOfTheOpenApiDocument) {
  std::ifstream file(WEIR_SOURCE_DIR "/proto/openapi.yaml");
  std::stringstream text;
  text << file.rdbuf();
  const std::string document = text.str();
  std::set<std::string> documented;
  const std::regex in_query("name: (\\w+)\n +in: query|in: query\n +name: (\\w+)");
  for (std::sregex_iterator it(document.begin(), document.end(), in_query), end; it != end; ++it)
    documented.insert((*it)[1].matched ? (*it)[1] : (*it)[2]);
  std::set<std::string> known;
  for (const KnownParameter& row : kKnownParameters) known.insert(std::string(row.name));
  known.insert({std::string(parameter::kAfter), std::string(parameter::kLimit)});
  known.erase(std::string(parameter::kTime));
  known.erase(std::string(parameter::kUnderscore));
  EXPECT_EQ(documented, known);
}

}  // namespace
}  // namespace weir
