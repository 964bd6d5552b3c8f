#include "publishers/log/channel_template.h"

#include <gtest/gtest.h>

#include <string>

#include "proto/channel_name.h"

namespace weir {
namespace {

TEST(ChannelTemplate, NamesAFileByThePartsOfItsPath) {
  EXPECT_EQ(channel_for("log.{name}", "/var/log/app.log"), "log.app");
  EXPECT_EQ(channel_for("{dir}:{name}", "/var/log/app.log"), "_var_log:app");
  EXPECT_EQ(channel_for("{path}", "/var/log/app.log"), "_var_log_app.log");
  EXPECT_EQ(channel_for("{name}@{name}", "app"), "app@app");
  EXPECT_EQ(channel_for("{dir}:{name}", "app.log.1"), ".:app.log.1");
  EXPECT_EQ(channel_for("news", "/var/log/app.log"), "news");
}

TEST(ChannelTemplate, TakesNoMoreThanTheExtensionOffAName) {
  EXPECT_EQ(channel_for("{name}", "/x/.log"), ".log");
  EXPECT_EQ(channel_for("{name}", "/x/a.log.log"), "a.log");
  EXPECT_EQ(channel_for("{name}", "/x/catalog"), "catalog");
}

TEST(ChannelTemplate, ReplacesWhatAChannelNameCannotHold) {
  EXPECT_EQ(channel_for("log.{name}", "/x/a b\n{name}/\xC3\xA9.log"), "log.__");
  EXPECT_EQ(channel_for("log.{name}", "/x/{dir}.log"), "log._dir_") << "A file's name is no template.";
}

TEST(ChannelTemplate, CutsALongNameAndKeepsTwoApart) {
  const std::string pod = "/var/log/containers/" + std::string(200, 'p');
  const auto one = channel_for("log.{name}", pod + "1.log");
  const auto two = channel_for("log.{name}", pod + "2.log");
  EXPECT_TRUE(is_channel_name(one)) << one;
  EXPECT_EQ(one.size(), 128U);
  EXPECT_NE(one, two);
  EXPECT_EQ(one, channel_for("log.{name}", pod + "1.log"));
}

TEST(ChannelTemplate, KnowsWhichTemplatesTellFilesApart) {
  EXPECT_FALSE(is_channel_template("news"));
  EXPECT_TRUE(is_channel_template("{dir}"));
  EXPECT_FALSE(has_channel_for_each_file("{dir}"));
  EXPECT_TRUE(has_channel_for_each_file("a{path}"));
}

TEST(ChannelTemplate, RefusesWhatCanBeNoChannel) {
  for (const char* good : {"news", "log.{name}", "{path}", "{dir}:x"}) {
    EXPECT_EQ(check_channel_template(good), "") << good;
  }
  for (const char* bad : {"", "two words", "{nam}", "{name", "__{name}", "weir:{name}", "a/{name}"}) {
    EXPECT_NE(check_channel_template(bad), "") << bad;
  }
}

}  // namespace
}  // namespace weir
