// Package composetest holds the tests that run docker-compose.yml on a real engine; deploy/docker/compose-test
// prepares the engine and the images and calls them.
package composetest
