// Command program has a module to be found.
package main

import "github.com/google/uuid"

func main() { println(uuid.NewString()) }
